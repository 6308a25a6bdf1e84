"""Singing voices: a glottal source with formants, as wavetables, with breath and consonants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.effects import band_pass, high_pass
from pipelines.synthetic.songs import lines
from pipelines.synthetic.songs.lines import Manner
from pipelines.synthetic.songs.notes import Note, add

VOWELS = {
    "i": (270, 2290, 3010),
    "e": (460, 1890, 2670),
    "ae": (660, 1720, 2410),
    "a": (730, 1090, 2440),
    "o": (500, 880, 2540),
    "u": (300, 870, 2240),
    "er": (490, 1350, 1690),
    "m": (250, 1050, 2200),
}
"""First three formants of men in Hz (Peterson and Barney, 1952; e and o between theirs); m is humming."""

_UPPER = (3400.0, 4500.0)
_BANDWIDTHS = (80.0, 100.0, 130.0, 200.0, 300.0)
_CONSONANTS = ((3500.0, 9500.0), (1800.0, 7000.0), (900.0, 4000.0), (250.0, 1800.0))


@dataclass(frozen=True)
class Singer:
    """A singer.

    Attributes:
        tract: formants relative to those of men: about 1.15 for women, 1.25 for children.
        effort: 0 is soft (few high harmonics), 1 is shouting.
        ring: extra loudness around 2.9 kHz, as trained voices have it.
        breath: level of the breath relative to the tone.
        consonants: chance that a note begins with one.
        vowels: names in :data:`VOWELS` that the singer uses.
        manner: how the singer moves from note to note.
    """

    tract: float = 1.0
    effort: float = 0.5
    ring: float = 0.0
    breath: float = 0.02
    consonants: float = 0.6
    vowels: tuple[str, ...] = ("i", "e", "ae", "a", "o", "u", "er")
    manner: Manner = field(default_factory=Manner)


def draw_singer(
    rng: np.random.Generator, *, woman: bool, mistuned: float, trained: bool = False, humming: bool = False
) -> Singer:
    """Draw a singer.

    Args:
        rng: draws everything else.
        woman: a woman or a child; else a man.
        mistuned: standard deviation of the error of the singer, in cents; errors stop at 40.
        trained: a rounder voice with more vibrato.
        humming: sings with closed lips.
    """
    manner = Manner(
        attack=rng.uniform(0.02, 0.07),
        release=rng.uniform(0.04, 0.1),
        glide=rng.uniform(0.03, 0.12),
        vibrato_depth=rng.uniform(25, 70) if trained else max(0.0, rng.uniform(-15, 40)),
        vibrato_rate=rng.uniform(4.8, 6.3),
        vibrato_delay=rng.uniform(0.05, 0.4),
        scoop=rng.uniform(0, 0.5),
        scoop_depth=rng.uniform(60, 250),
        wander=rng.uniform(3, 14),
        intonation=rng.uniform(3, 8) + 0.5 * mistuned,
        offset=float(np.clip(rng.normal(0, mistuned), -40, 40)),
        slope=rng.uniform(0, 15) if trained else rng.uniform(0, 50),
        fall=rng.uniform(0, 0.4),
        shimmer=rng.uniform(0, 0.1) if trained else rng.uniform(0, 0.35),
    )
    return Singer(
        tract=rng.uniform(1.1, 1.28) if woman else rng.uniform(0.95, 1.06),
        effort=rng.uniform(0.1, 0.9),
        ring=rng.uniform(2, 6) if trained else rng.uniform(0, 1.5),
        breath=10 ** rng.uniform(-2.0, -0.7),
        consonants=0.0 if humming else rng.uniform(0.3, 0.9),
        vowels=("m",) if humming else tuple(VOWELS)[:7],
        manner=manner,
    )


def spectrum(singer: Singer, vowel: str, frequency: float) -> np.ndarray:
    """Return the amplitudes of the harmonics of a sung vowel.

    A source that falls by 6 to 12 dB per octave (with the lips' radiation) goes through five resonances in a
    row (Fant, "Acoustic theory of speech production",
    1960). A first formant below the fundamental moves up to
    it, as singers open their mouths for high notes.

    Args:
        singer: whose voice.
        vowel: a name in :data:`VOWELS`.
        frequency: the fundamental, in Hz.

    Returns:
        ``[harmonics]``, in any unit.
    """
    hertz = lines.harmonics(frequency)
    formants = [singer.tract * value for value in (*VOWELS[vowel], *_UPPER)]
    formants[0] = max(formants[0], frequency)
    amplitudes = np.arange(1, len(hertz) + 1) ** -(1.7 - 0.9 * singer.effort)
    for formant, width in zip(formants, _BANDWIDTHS, strict=True):
        if vowel == "m":
            width *= 2
        amplitudes = amplitudes * formant**2 / np.abs(formant**2 - hertz**2 + 1j * hertz * width)
    if vowel == "m":
        amplitudes /= 1 + np.square(hertz / 500)
    return amplitudes * (1 + singer.ring * np.exp(-np.square((hertz - 2900) / 350)))


def sing(
    notes: Sequence[Note],
    singer: Singer,
    samples: int,
    rng: np.random.Generator,
    drift: np.ndarray | None = None,
    words: Sequence[str] | None = None,
) -> np.ndarray:
    """Sing a line.

    Args:
        notes: in seconds, in order; pitches with the clip's tuning.
        singer: who sings.
        samples: length of the result.
        rng: draws what is open.
        drift: deviation of the whole choir in cents at each control point of ``lines``, or None.
        words: a vowel for each note; None draws them.

    Returns:
        float32 ``[samples]``.
    """
    if not notes:
        return np.zeros(samples, np.float32)
    if words is None:
        words = draw_words(rng, len(notes), singer)
    later = [word if rng.random() < 0.75 else str(rng.choice(singer.vowels)) for word in words]
    sounds = [
        (round(note.pitch), vowel)
        for note, pair in zip(notes, zip(words, later, strict=True), strict=True)
        for vowel in pair
    ]
    kinds = list(dict.fromkeys(sounds))
    spectra = [spectrum(singer, vowel, 440.0 * 2 ** ((pitch + 0.5 - 69) / 12)) for pitch, vowel in kinds]
    tables = lines.wavetables(spectra, rng)
    where = {kind: number for number, kind in enumerate(kinds)}
    voice, level = lines.play(
        notes, tables[[where[sound] for sound in sounds]], singer.manner, samples, rng, drift
    )
    return voice + noises(notes, level, singer, samples, rng)


def draw_words(rng: np.random.Generator, count: int, singer: Singer) -> list[str]:
    """Draw a vowel for each of ``count`` notes; open vowels are the most frequent."""
    weights = np.array([{"a": 3.0, "o": 2.0, "ae": 1.5}.get(vowel, 1.0) for vowel in singer.vowels])
    return [str(word) for word in rng.choice(singer.vowels, count, p=weights / weights.sum())]


def noises(
    notes: Sequence[Note], level: np.ndarray, singer: Singer, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return breath and consonants of a line whose tone has a root mean square of 1; float32, mono."""
    # Two seconds of breath, repeated, are as good as the whole.
    breath = high_pass(rng.standard_normal(2 * SAMPLE_RATE, dtype=np.float32), 1500)
    out = np.resize(breath, samples)
    out *= lines.upsampled((singer.breath * level).astype(np.float32)).ravel()[:samples]
    if singer.consonants:
        hiss = [band_pass(breath[: SAMPLE_RATE // 2], low, high) for low, high in _CONSONANTS]
        for note in notes:
            if rng.random() < singer.consonants:
                kind, length = int(rng.integers(len(hiss))), int(rng.uniform(0.02, 0.16) * SAMPLE_RATE)
                first = int(rng.integers(len(hiss[0]) - length))
                burst = hiss[kind][first : first + length] * np.hanning(length).astype(np.float32)
                loudness = rng.uniform(0.1, 1.0) * note.velocity
                add(out, note.start - 0.8 * length / SAMPLE_RATE, burst, loudness)
    return out
