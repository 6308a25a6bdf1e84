"""Whether every intact file is decoded: ``python -m tests.benchmarks.decoders``.

It makes 300 files each of MP3, AAC, Opus, Vorbis and FLAC from the recordings in ``tests/data/real``, with
the encoders of ffmpeg (the program), PyAV and libsndfile, at five bit rates (for FLAC: levels), with several
lengths, sample rates and numbers of channels. The table shows how many tfkey refuses, for how many it gives a
warning, and the greatest difference between their length and what ffmpeg decodes.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from tests.media import encode
from tfkey.audio.reading import read_up_to
from tfkey.errors import AudioError

REAL = Path(__file__).parents[1] / "data" / "real"
FILES = 300
RATE = 48000  # at which lengths are compared
LENGTHS = (0.7, 2.5, 5.013, 9.9, 20.3)
FORMS = ((44100, 2), (48000, 2), (44100, 1), (22050, 1), (48000, 1))

Encode = Callable[[Path, Path, int], None]


def by_ffmpeg(*options: str, quality: str = "-b:a", unit: str = "k") -> Encode:
    """An encoder of the program ffmpeg: from a WAV to a file, at a bit rate or quality."""

    def make(source: Path, target: Path, level: int) -> None:
        command = ["ffmpeg", "-v", "error", "-y", "-i", source, *options, quality, f"{level}{unit}", target]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    return make


def by_pyav(codec: str, container: str) -> Encode:
    """An encoder of PyAV's FFmpeg, which is another version than the program's."""

    def make(source: Path, target: Path, level: int) -> None:
        sound, rate = soundfile.read(source, dtype="float32", always_2d=True)
        layout = "stereo" if sound.shape[1] == 2 else "mono"
        encode(target, codec, sound, rate, layout=layout, container=container, bit_rate=level * 1000)

    return make


def by_libsndfile(container: str, subtype: str) -> Encode:
    """An encoder of libsndfile: a level from 0 (best) to 99 (smallest)."""

    def make(source: Path, target: Path, level: int) -> None:
        sound, rate = soundfile.read(source, dtype="float32", always_2d=True)
        if subtype == "OPUS" and rate not in (8000, 12000, 16000, 24000, 48000):
            sound, rate = soxr.resample(sound, rate, 48000), 48000
        with soundfile.SoundFile(
            target, "w", rate, sound.shape[1], subtype, format=container, compression_level=level / 100
        ) as out:
            # In pieces: libsndfile's Vorbis overflows the stack on long ones.
            for start in range(0, len(sound), 4096):
                out.write(sound[start : start + 4096])

    return make


@dataclass(frozen=True)
class Kind:
    """An encoder: what it makes of a WAV, and its five bit rates in kbit/s, or levels."""

    codec: str
    name: str
    suffix: str
    make: Encode
    levels: tuple[int, ...]


RATES = (32, 64, 96, 128, 192)
KINDS = [
    Kind("MP3", "libmp3lame", "mp3", by_ffmpeg("-c:a", "libmp3lame"), RATES),
    Kind("MP3", "libmp3lame VBR", "mp3", by_ffmpeg("-c:a", "libmp3lame", quality="-q:a", unit=""),
         (0, 2, 4, 6, 9)),
    Kind("MP3", "libmp3lame VBR, no Xing", "mp3",
         by_ffmpeg("-c:a", "libmp3lame", "-write_xing", "0", quality="-q:a", unit=""), (0, 2, 4, 6, 9)),
    Kind("MP3", "libshine", "mp3", by_ffmpeg("-ar", "44100", "-c:a", "libshine"), RATES),
    Kind("MP3", "libsndfile", "mp3", by_libsndfile("MP3", "MPEG_LAYER_III"), (0, 25, 50, 75, 99)),
    Kind("AAC", "aac, M4A", "m4a", by_ffmpeg("-c:a", "aac"), RATES),
    Kind("AAC", "aac, ADTS", "aac", by_ffmpeg("-c:a", "aac"), RATES),
    Kind("AAC", "aac fast, Matroska", "mka", by_ffmpeg("-c:a", "aac", "-aac_coder", "fast"), RATES),
    Kind("AAC", "aac of PyAV, MP4", "mp4", by_pyav("aac", "mp4"), RATES),
    Kind("Opus", "libopus", "opus", by_ffmpeg("-c:a", "libopus"), RATES),
    Kind("Opus", "libopus speech, 60 ms", "opus",
         by_ffmpeg("-c:a", "libopus", "-application", "voip", "-frame_duration", "60"), (12, 24, 32, 64, 96)),
    Kind("Opus", "opus (FFmpeg's own)", "opus", by_ffmpeg("-c:a", "opus", "-strict", "-2", "-ar", "48000"),
         (64, 80, 96, 128, 192)),
    Kind("Opus", "libsndfile", "opus", by_libsndfile("OGG", "OPUS"), (0, 25, 50, 75, 99)),
    Kind("Vorbis", "libvorbis", "ogg", by_ffmpeg("-c:a", "libvorbis", quality="-q:a", unit=""),
         (0, 2, 4, 6, 9)),
    Kind("Vorbis", "vorbis (FFmpeg's own)", "ogg",
         by_ffmpeg("-c:a", "vorbis", "-strict", "-2", "-ac", "2"), (64, 96, 128, 160, 192)),
    Kind("Vorbis", "libsndfile", "ogg", by_libsndfile("OGG", "VORBIS"), (0, 25, 50, 75, 99)),
    Kind("FLAC", "flac", "flac", by_ffmpeg("-c:a", "flac", quality="-compression_level", unit=""),
         (0, 2, 5, 8, 12)),
    Kind("FLAC", "flac in Ogg", "oga",
         by_ffmpeg("-c:a", "flac", "-f", "ogg", quality="-compression_level", unit=""), (0, 2, 5, 8, 12)),
    Kind("FLAC", "libsndfile", "flac", by_libsndfile("FLAC", "PCM_16"), (0, 25, 50, 75, 99)),
]  # fmt: skip


def make_sources(folder: Path) -> list[Path]:
    """WAVs of all lengths and forms, cut from the real recordings."""
    written = []
    recordings = sorted(REAL.glob("*.ogg"))
    for number, (seconds, (rate, channels)) in enumerate(itertools.product(LENGTHS, FORMS)):
        sound, original = soundfile.read(recordings[number % len(recordings)], dtype="float32")
        sound = soxr.resample(sound[: int(seconds * original)], original, rate)
        if channels == 2:
            sound = np.stack([sound, 0.9 * np.roll(sound, 40)], axis=1)
        path = folder / f"{number}.wav"
        soundfile.write(path, sound, rate, subtype="PCM_16")
        written.append(path)
    return written


def seconds_by_ffmpeg(path: Path) -> float:
    """The length that ffmpeg decodes."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return len(done.stdout) / 2 / RATE


def try_one(kind: Kind, source: Path, level: int, target: Path) -> tuple[float | None, str | None]:
    """Make a file: how far tfkey's length is from ffmpeg's in seconds (None if refused), and what it said."""
    kind.make(source, target, level)
    try:
        found = read_up_to(target, RATE, 1 << 40, cut=True)
    except AudioError as error:
        return None, str(error)
    difference = found.samples / RATE - seconds_by_ffmpeg(target)
    target.unlink()
    return difference, found.warning


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=FILES, help="of each codec (default: 300)")
    parser.add_argument("--only", choices=sorted({kind.codec for kind in KINDS}), help="this codec alone")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg: not found; it encodes the files, and tells their length")
    # Decoders' own remarks are of no interest here.
    av.logging.set_level(None)
    by_codec: dict[str, list[Kind]] = defaultdict(list)
    for kind in KINDS:
        if options.only in (None, kind.codec):
            by_codec[kind.codec].append(kind)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(options.workers) as pool:
        folder = Path(scratch)
        sources = make_sources(folder)
        print(f"{'':8}{'':26}{'files':>6}{'refused':>9}{'warned':>8}{'greatest difference':>21}")
        for codec, kinds in by_codec.items():
            for place, kind in enumerate(kinds):
                count = (options.files + len(kinds) - 1 - place) // len(kinds)
                # Each source in turn, each time at the next level.
                jobs = [
                    pool.submit(
                        try_one,
                        kind,
                        sources[number % len(sources)],
                        kind.levels[(number + number // len(sources)) % len(kind.levels)],
                        folder / f"{codec}-{place}-{number}.{kind.suffix}",
                    )
                    for number in range(count)
                ]
                results = [job.result() for job in jobs]
                refused = [text for difference, text in results if difference is None]
                warned = [text for difference, text in results if difference is not None and text]
                worst = max((abs(d) for d, _ in results if d is not None), default=0.0)
                print(
                    f"{codec:8}{kind.name:26}{count:6}{len(refused):9}{len(warned):8}{worst * 1000:18.1f} ms",
                    flush=True,
                )
                for text in [*refused, *warned][:3]:
                    print(f"{'':10}{text}")


if __name__ == "__main__":
    main()
