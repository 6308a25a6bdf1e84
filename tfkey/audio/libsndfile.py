"""Decoding with libsndfile: WAV, AIFF, FLAC, Ogg Vorbis, MP3 and more."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import soundfile

from tfkey.audio.mixing import Mixer, mix
from tfkey.audio.readers import UndecodableError
from tfkey.audio.spans import Span

# libsndfile's code if its MP3 reader finds no frame in a file that does exist.
_NO_STREAM = 7
_UNKNOWN_FORMAT = 1
# Samples decoded at a time; a block of two channels fits in a core's cache. Do not compute matrix products,
# extremes or comparisons between two blocks: BLAS and NumPy use the widest registers for these, after which
# many processors run slower for a while, and decoding MP3 takes a tenth longer.
BLOCK = 1 << 16
# The numbers that mean an unknown length are greater than any real length.
_NO_LENGTH = 1 << 40


class _OneWay(soundfile.SoundFile):
    """A file that is read from start to end only: soundfile's seek after every read costs MP3 a fifth."""

    def seekable(self) -> bool:
        return False


class SndfileReader:
    """The audio of a span, read from start to end.

    Attributes:
        seconds: the length according to its header, which may be an estimate; 0.0 if it is not known.

    Raises:
        UndecodableError: libsndfile does not know the format.
    """

    def __init__(self, span: Span) -> None:
        self._span, self._file, self._descriptor = span, None, -1
        try:
            if os.name == "posix" and span.is_whole():
                # A descriptor is faster than a file object, and its position shows how far libsndfile has
                # got. It shares this position with the stream, which must therefore be at the start.
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
        """The mean over channels, float32 ``[n]``, and its rate in Hz. The memory is reused.

        Raises:
            UndecodableError: the decoder gives up; the blocks that it gave before are good.
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
    """The channels mixed block by block; the last block is empty. The memory is reused."""
    mixer = Mixer(stream.samplerate)
    buffer = np.empty((BLOCK, stream.channels), np.float32)
    mono = np.empty(BLOCK, np.float32)
    size = BLOCK
    while size:
        # Not stream.blocks(): if a stream ends before its stated length, that adds samples from old memory.
        size = stream.buffer_read_into(buffer, "float32")
        block = buffer[:size]
        mix(block, mixer.signs(block), mono[:size])
        yield mono[:size]


def _reason(error: soundfile.LibsndfileError) -> str:
    if error.code == _NO_STREAM:
        return "no audio stream found in it"
    return error.error_string.strip().rstrip(".") or f"libsndfile error {error.code}"
