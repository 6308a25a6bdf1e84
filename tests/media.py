"""Files of every kind, made on the spot."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def chord(seconds: float, rate: int = 44100, channels: int = 1) -> np.ndarray:
    """C major, float32 ``[samples, channels]``, to do with as one likes."""
    return _chord(seconds, rate, channels).copy()


@functools.lru_cache(maxsize=16)
def _chord(seconds: float, rate: int, channels: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    sound = sum(np.sin(2 * np.pi * pitch * time) for pitch in (130.81, 261.63, 329.63, 392.0)) / 8
    return np.repeat(sound[:, np.newaxis], channels, axis=1).astype(np.float32)


def encode(
    path: Path,
    codec: str,
    sound: np.ndarray,
    rate: int = 44100,
    *,
    layout: str = "stereo",
    video: bool = False,
    container: str | None = None,
    bit_rate: int | None = None,
    start: float = 0.0,
    gap: tuple[float, float] | None = None,
    **options: str,
) -> Path:
    """Write a file by FFmpeg.

    Args:
        path: the file.
        codec: of its sound.
        sound: float32 ``[samples, channels]``.
        rate: in Hz.
        layout: of the channels.
        video: whether it has pictures, too, for twice as long.
        container: its format, if the suffix does not tell.
        bit_rate: in bit/s; by default 64,000 a channel.
        start: when its sound begins, in seconds.
        gap: when its sound stops for a while, and for how long, in seconds.
        **options: of the container.
    """
    with path.open("wb+") as file, av.open(file, "w", container or path.suffix[1:], options=options) as out:
        pictures = None
        if video:
            pictures = out.add_stream("mpeg4", rate=10)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        stream = out.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.bit_rate = bit_rate or 64000 * sound.shape[1]
        stream.time_base = Fraction(1, rate)
        # Interleaved, as PyAV's planar frames end at eight channels.
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(stream.format, layout, rate, stream.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            if gap is not None and part.pts >= gap[0] * rate:
                part.pts += round(gap[1] * rate)
            part.pts += round(start * rate)
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
        if pictures is not None:
            for number in range(2 * 10 * len(sound) // rate):
                picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
                picture.pts = number
                out.mux(pictures.encode(picture))
            out.mux(pictures.encode(None))
    return path


def packets(path: Path) -> bytes:
    """The coded sound of a file, as it lies in its container."""
    with path.open("rb") as file, av.open(file) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))
