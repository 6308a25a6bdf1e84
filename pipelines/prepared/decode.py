"""Decoding audio, and pictures of spectrograms, inside a TensorFlow graph.

Core TensorFlow decodes 16-bit WAV, which ``prepare --mode audio`` writes; tensorflow-io decodes FLAC, Ogg
Vorbis and MP3. If tensorflow-io does not load (it is bound to one TensorFlow version), libsndfile decodes
these in a Python call, slower under load but with the same result. soxr resamples audio of another sample
rate, as everywhere else.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import soundfile
import soxr
import tensorflow as tf


@functools.cache
def tensorflow_io() -> Any | None:
    """Return the tensorflow-io module; None if it cannot be loaded."""
    try:
        import tensorflow_io

        # Its kernels load at the first use; only then does a missing symbol show.
        tensorflow_io.audio.resample(tf.zeros([64, 1]), 2, 1)
    except (ImportError, NotImplementedError, RuntimeError, tf.errors.OpError):
        return None
    return tensorflow_io


def decode_clip(path: tf.Tensor, samples: int, sample_rate: int, *, only_wav: bool = False) -> tf.Tensor:
    """Read an audio file as a mono clip of fixed length, in the graph.

    Args:
        path: string scalar; the suffix names the format (wav, flac, ogg, mp3).
        samples: the desired length; a longer file is cut at the end, a shorter one padded with zeros.
        sample_rate: the desired rate in Hz; other rates are resampled.
        only_wav: every file is a WAV, as written by ``prepare``. The graph then omits tensorflow-io, whose
            operations are stateful: if operations must be deterministic, the default in training, tf.data
            does not run stateful ones in parallel or ahead.

    Returns:
        float32 ``[samples]``.
    """
    content = tf.io.read_file(path)
    # The header that core TensorFlow can read: RIFF, format 1 (PCM), 16 bits.
    is_pcm16 = (
        (tf.strings.substr(content, 0, 4) == b"RIFF")
        & (tf.strings.substr(content, 12, 4) == b"fmt ")
        & (tf.strings.substr(content, 20, 2) == b"\x01\x00")
        & (tf.strings.substr(content, 34, 2) == b"\x10\x00")
    )
    waveform, rate = tf.cond(
        is_pcm16, lambda: _decode_wav(content), lambda: _decode_other(path, content, only_wav)
    )
    waveform = tf.cond(rate == sample_rate, lambda: waveform, lambda: _resample(waveform, rate, sample_rate))
    # Audio that already has the right length, such as prepared audio, need not be copied.
    clip = tf.cond(
        tf.shape(waveform)[0] == samples,
        lambda: waveform,
        lambda: tf.pad(waveform[:samples], [[0, tf.maximum(samples - tf.shape(waveform)[0], 0)]]),
    )
    return tf.ensure_shape(clip, [samples])


def _decode_wav(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode 16-bit PCM WAV; the mono files that ``prepare`` writes bypass TensorFlow's slower decoder."""
    size = _little_endian(content, 40)
    is_plain = (
        (tf.strings.substr(content, 22, 2) == b"\x01\x00")  # one channel
        & (tf.strings.substr(content, 36, 4) == b"data")
        & (size % 2 == 0)
        # A truncated file is left to TensorFlow's decoder, which reports the error.
        & (tf.strings.length(content) >= 44 + size)
    )

    def plain() -> tuple[tf.Tensor, tf.Tensor]:
        whole = tf.io.decode_raw(tf.strings.substr(content, 44, size), tf.int16)
        return tf.cast(whole, tf.float32) * (1 / 32768), tf.cast(_little_endian(content, 24), tf.int64)

    def other() -> tuple[tf.Tensor, tf.Tensor]:
        waveform, rate = tf.audio.decode_wav(content)
        return tf.reduce_mean(waveform, axis=1), tf.cast(rate, tf.int64)

    return tf.cond(is_plain, plain, other)


def _little_endian(content: tf.Tensor, place: int) -> tf.Tensor:
    """Four bytes of a file as a whole number; 0 if it is shorter."""
    number = tf.io.decode_raw(tf.strings.substr(content, place, 4), tf.uint8)
    return tf.reduce_sum(
        tf.cast(number, tf.int32) * tf.constant([1, 1 << 8, 1 << 16, 1 << 24])[: tf.size(number)]
    )


def _decode_other(path: tf.Tensor, content: tf.Tensor, only_wav: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode anything but 16-bit PCM WAV, recognised by its first bytes."""
    if only_wav or tensorflow_io() is None:
        return _decode_by_libsndfile(path)
    magic = tf.strings.substr(content, 0, 4)
    is_vorbis = (magic == b"OggS") & (tf.strings.substr(content, 29, 6) == b"vorbis")
    is_mp3 = tf.strings.regex_full_match(path, r"(?i).*\.mp3")
    return tf.case(
        [
            (is_vorbis | is_mp3, lambda: _decode_by_io(path, tf.float32)),
            ((magic == b"fLaC") & (_flac_bits(content) == 16), lambda: _decode_by_io(path, tf.int16)),
            ((magic == b"fLaC") & (_flac_bits(content) == 24), lambda: _decode_by_io(path, tf.int32)),
        ],
        default=lambda: _decode_by_libsndfile(path),
    )


def _decode_by_io(path: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode with tensorflow-io; integers are left-aligned in ``dtype``."""
    module: Any = tensorflow_io()
    audio = module.audio.AudioIOTensor(path, dtype=dtype)
    waveform = tf.cast(audio.to_tensor(), tf.float32)
    if dtype.is_integer:
        waveform /= float(2 ** (8 * dtype.size - 1))
    return tf.reduce_mean(waveform, axis=1), tf.cast(audio.rate, tf.int64)


def _flac_bits(content: tf.Tensor) -> tf.Tensor:
    """Bits per sample in a FLAC file's STREAMINFO block (RFC 9639, section 8.2); 0 if it is cut short."""
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 20, 2), tf.uint8), tf.int32)
    return tf.cond(tf.size(header) == 2, lambda: (header[0] % 2) * 16 + header[1] // 16 + 1, lambda: 0)


def _decode_by_libsndfile(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    def decode(name: bytes) -> tuple[np.ndarray, np.int64]:
        waveform, rate = soundfile.read(name.decode(), dtype="float32", always_2d=True)
        return waveform.mean(axis=1), np.int64(rate)

    waveform, rate = tf.numpy_function(decode, [path], [tf.float32, tf.int64], stateful=False)
    return tf.ensure_shape(waveform, [None]), tf.ensure_shape(rate, [])


def _resample(waveform: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    # Not with tensorflow-io, whose resampler delays the audio by 32 samples or more. Prepared audio has the
    # right rate, so only other files are resampled here.
    def by_soxr(values: np.ndarray, rate_in: np.int64) -> np.ndarray:
        return soxr.resample(values, int(rate_in), sample_rate).astype(np.float32)

    resampled = tf.numpy_function(by_soxr, [waveform, rate], tf.float32, stateful=False)
    return tf.ensure_shape(resampled, [None])


def decode_picture(path: tf.Tensor, frames: int, bins: int) -> tf.Tensor:
    """Read a spectrogram PNG in the graph, the inverse of :func:`tfkey.spectrogram.frontend.to_pixels`.

    Args:
        path: string scalar.
        frames: its width.
        bins: its height.

    Returns:
        float32 ``[frames, bins, 1]`` in [0, 1].
    """
    pixels = tf.io.decode_png(tf.io.read_file(path), channels=1)
    picture = tf.transpose(tf.cast(pixels, tf.float32) / 255.0, [1, 0, 2])
    return tf.ensure_shape(picture, [frames, bins, 1])
