"""Decoding by libsndfile: WAV, AIFF, FLAC, Ogg Vorbis, MP3 and more."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import soundfile

from tfkey.audio.mixing import Mixer, mix
from tfkey.audio.readers import UndecodableError
from tfkey.audio.spans import Span

# libsndfile's code where, in a file that does exist, its MP3 reader finds no frame.
_NO_STREAM = 7
_UNKNOWN_FORMAT = 1
# Samples decoded at a time; a block of two channels stays in a processor's own cache. Between two blocks
# there are no matrix products, extremes and comparisons: for these BLAS and NumPy take the widest registers,
# after which many processors run slower for a while, and decoding MP3 takes a tenth longer.
BLOCK = 1 << 16
# What stands for an unknown length is beyond every real one.
_NO_LENGTH = 1 << 40


class _OneWay(soundfile.SoundFile):
    """A file that is read from start to end only: soundfile's seek after every read costs MP3 a fifth."""

    def seekable(self) -> bool:
        return False


class SndfileReader:
    """The audio of a span, read from start to end.

    Attributes:
        seconds: the length by its header, which may be an estimate; 0.0 if there is none.

    Raises:
        UndecodableError: libsndfile does not know the format.
    """

    def __init__(self, span: Span) -> None:
        self._span, self._file, self._descriptor = span, None, -1
        try:
            if os.name == "posix" and span.is_whole():
                # By its descriptor, which is faster than by a file object, and tells how far it has come. It
                # has a position in common with the stream, so it is set to the start.
                self._descriptor = span.stream.fileno()
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                self._stream = _OneWay(self._descriptor, closefd=False)
            else:
                self._file = span.open()
                self._stream = _OneWay(self._file)
        except soundfile.LibsndfileError as error:
            is_vague = error.code == _UNKNOWN_FORMAT
            raise UndecodableError(_reason(error), is_vague=is_vague) from error
        frames = self._stream.frames if self._stream.frames < _NO_LENGTH else 0
        self.sample_rate: int = self._stream.samplerate
        self.seconds: float = frames / self.sample_rate

    @property
    def left(self) -> int:
        """How many bytes of the span have not been read."""
        if self._file is not None:
            return self._span.size - self._file.tell()
        return self._span.end - os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        """The mean over channels, float32 ``[n]``, and its rate in Hz. The memory is used again.

        Raises:
            UndecodableError: the decoder gives up; what it gave is good.
            OSError: the file cannot be read.
        """
        try:
            for block in mono_blocks(self._stream):
                if block.size:
                    yield block, self.sample_rate
        except soundfile.LibsndfileError as error:
            raise UndecodableError(_reason(error)) from error
        if self._file is not None and self._file.error is not None:
            raise self._file.error

    def close(self) -> None:
        """Close it; the span's stream stays open."""
        self._stream.close()


def mono_blocks(stream: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The channels mixed block by block, at last a block of no samples. The memory is used again."""
    mixer = Mixer(stream.samplerate)
    buffer = np.empty((BLOCK, stream.channels), np.float32)
    mono = np.empty(BLOCK, np.float32)
    size = BLOCK
    while size:
        # Not stream.blocks(): where a stream ends before its announced length, that fills up with old memory.
        size = stream.buffer_read_into(buffer, "float32")
        block = buffer[:size]
        mix(block, mixer.signs(block), mono[:size])
        yield mono[:size]


def _reason(error: soundfile.LibsndfileError) -> str:
    if error.code == _NO_STREAM:
        return "no audio stream found in it"
    return error.error_string.strip().rstrip(".") or f"libsndfile error {error.code}"
