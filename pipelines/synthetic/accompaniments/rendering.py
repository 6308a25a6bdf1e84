"""From a MIDI file to audio, by a soundfont."""

from __future__ import annotations

import importlib.util
import io
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE
from tfkey.errors import DataError


def packaged_soundfont() -> Path:
    """Return TimGM6mb.sf2, the soundfont that comes with the package pretty_midi.

    Raises:
        DataError: pretty_midi is not installed.
    """
    spec = importlib.util.find_spec("pretty_midi")
    path = Path(spec.origin).with_name("TimGM6mb.sf2") if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError("the soundfont TimGM6mb.sf2 is missing; run pip install 'pretty_midi>=0.2.10'")
    return path


def render(midi: bytes, soundfont: Path, cents: float) -> np.ndarray:
    """Play a MIDI file: float32 ``[samples]`` at :data:`~pipelines.synthetic.clip.SAMPLE_RATE`, mono.

    Args:
        midi: the file's content.
        soundfont: an ``.sf2`` file.
        cents: distance from A4 = 440 Hz, reached by playing faster or slower, by 3 % at half a semitone.

    Raises:
        DataError: the soundfont is missing or is no soundfont.
    """
    import midirenderer
    import soundfile
    import soxr

    wave = midirenderer.render_wave_from(_soundfont(soundfont), midi)
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    mono = np.float32(0.5) * (samples[:, 0] + samples[:, 1])
    return soxr.resample(mono, rate * 2 ** (cents / 1200), SAMPLE_RATE, quality="HQ")


@lru_cache(maxsize=4)
def _soundfont(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: the soundfont cannot be read ({error.strerror}); name an .sf2 file"
        ) from error
    if content[:4] != b"RIFF" or content[8:12] != b"sfbk":
        raise DataError(f"{path}: is not a soundfont; name an .sf2 file")
    return content
