"""Synthesizer patches: how a note sounds, and how a line of notes is played with one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.electronic import wavetables
from pipelines.synthetic.electronic.piece import Piece
from pipelines.synthetic.electronic.wavetables import Spectrum

_SINE = np.sin(np.arange(wavetables.TABLE) * (2 * np.pi / wavetables.TABLE)).astype(np.float32)[np.newaxis]
VOICES = 7
"""The largest number of voices in unison."""


class Note(NamedTuple):
    """A note of a line.

    Attributes:
        beat: when it begins.
        beats: how long it is held.
        pitch: its MIDI pitch.
        level: its amplitude.
        slide: how many semitones below its pitch it begins, to slide up (or down, if negative).
        cutoff: what it multiplies the patch's cutoff frequency by.
    """

    beat: float
    beats: float
    pitch: int
    level: float = 1.0
    slide: float = 0.0
    cutoff: float = 1.0


@dataclass(frozen=True)
class Patch:
    """The sound of a synthesizer: oscillators, filter, envelope.

    Attributes:
        spectrum: the tone of its oscillators.
        starts: float ``[VOICES]``: the first phase of each voice, as a part of the period.
        voices: oscillators in unison, at most :data:`VOICES`.
        detune: the largest distance of a voice from the pitch, in cents.
        cutoff: cutoff frequency of the low-pass filter at rest, in Hz; infinity for no filter.
        resonance: that of the filter, 0.5 for no peak.
        sweep: how many octaves above its rest the filter begins.
        sweep_seconds: time constant of its return.
        wobble: depth of the filter's oscillation to either side, in octaves.
        wobble_hertz: frequency of that oscillation.
        attack: time to the full level, in seconds.
        decay: time constant of the fall from there, in seconds.
        sustain: the level to which it falls.
        release: time from the end of the note to silence, in seconds.
        fm_index: depth of the frequency modulation, in radians; 0 for none.
        fm_ratio: frequency of the modulator relative to the pitch.
        fm_decay: time constant of the index, in seconds.
        vibrato: depth of the vibrato to either side, in cents.
    """

    spectrum: Spectrum
    starts: tuple[float, ...]
    voices: int = 1
    detune: float = 0.0
    cutoff: float = np.inf
    resonance: float = 0.5
    sweep: float = 0.0
    sweep_seconds: float = 0.2
    wobble: float = 0.0
    wobble_hertz: float = 0.0
    attack: float = 0.004
    decay: float = 0.3
    sustain: float = 0.5
    release: float = 0.03
    fm_index: float = 0.0
    fm_ratio: float = 1.0
    fm_decay: float = 0.3
    vibrato: float = 0.0


def envelope(patch: Patch, held: int) -> np.ndarray:
    """Return the level float32 of a note that is held for a number of samples, release included."""
    attack = max(1, min(held, round(patch.attack * SAMPLE_RATE)))
    release = max(1, round(patch.release * SAMPLE_RATE))
    time = np.arange(held + release - attack, dtype=np.float32) / np.float32(SAMPLE_RATE)
    level = np.empty(held + release, np.float32)
    level[:attack] = np.linspace(0, 1, attack, dtype=np.float32)
    level[attack:] = patch.sustain + (1 - patch.sustain) * np.exp(-time / np.float32(max(patch.decay, 1e-3)))
    level[held:] *= np.linspace(1, 0, release, dtype=np.float32)
    return level


def tone(patch: Patch, hertz: float, held: int, slide: float = 0.0) -> np.ndarray:
    """Play a note.

    Args:
        patch: how it sounds.
        hertz: its pitch.
        held: for how many samples it is held.
        slide: how many semitones below the pitch it begins.

    Returns:
        float32, ``held`` samples and the release.
    """
    level = envelope(patch, held)
    samples = len(level)
    seconds = np.arange(samples, dtype=np.float32) / np.float32(SAMPLE_RATE)
    tables, filtered = _filtered(patch, hertz, seconds)
    bend = None
    if slide or patch.vibrato:
        bend = -slide * np.exp(-seconds / 0.03)
        if patch.vibrato:
            depth = patch.vibrato / 100 * np.clip(seconds / 0.3, 0, 1)
            bend = bend + depth * np.sin(2 * np.pi * 5.5 * seconds)
    total = np.zeros(samples, np.float32)
    for voice in range(patch.voices):
        place = 2 * voice / (patch.voices - 1) - 1 if patch.voices > 1 else 0.0
        pitch = hertz * 2 ** (place * patch.detune / 1200)
        phase = wavetables.phases(pitch, samples, int(patch.starts[voice] * 2**32), bend)
        if patch.fm_index:
            phase = phase + _modulation(patch, hertz, seconds)
        total += wavetables.look_up(tables, phase, filtered)
    return total * level / np.float32(np.sqrt(patch.voices))


def _filtered(patch: Patch, hertz: float, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the tables of a note, and which of them is read at each sample."""
    cutoff = max(patch.cutoff, hertz)
    if not np.isfinite(cutoff) or not (patch.sweep or patch.wobble):
        return wavetables.bank(patch.spectrum, hertz, np.array([cutoff]), patch.resonance), None
    octaves = np.zeros(len(seconds), np.float32)
    if patch.sweep:
        octaves += np.float32(patch.sweep) * np.exp(-seconds / np.float32(patch.sweep_seconds))
    if patch.wobble:
        octaves += np.float32(patch.wobble) * np.sin(np.float32(2 * np.pi * patch.wobble_hertz) * seconds)
    low, high = -patch.wobble, patch.wobble + patch.sweep
    grid = np.linspace(low, high, wavetables.LEVELS)
    tables = wavetables.bank(patch.spectrum, hertz, cutoff * np.exp2(grid), patch.resonance)
    place = (octaves - np.float32(low)) * np.float32((wavetables.LEVELS - 1) / (high - low))
    return tables, np.clip(np.rint(place), 0, wavetables.LEVELS - 1)


def _modulation(patch: Patch, hertz: float, seconds: np.ndarray) -> np.ndarray:
    """Return what frequency modulation adds to the phase, uint32."""
    # Carson's rule: the sidebands reach ratio * (index + 1) times the pitch above it.
    index = min(patch.fm_index, max(0.0, (wavetables.HIGHEST / hertz - 1) / patch.fm_ratio - 1))
    modulator = wavetables.look_up(_SINE, wavetables.phases(hertz * patch.fm_ratio, len(seconds), 0))
    depth = index / (2 * np.pi) * 2**32 * np.exp(-seconds / np.float32(patch.fm_decay))
    return (modulator * depth).astype(np.int64).astype(np.uint32)


def play(notes: Iterable[Note], patch: Patch, piece: Piece) -> np.ndarray:
    """Play a line of notes.

    Args:
        notes: the notes; those that begin after the end of the clip are left out.
        patch: how they sound. A note sounds the same each time that it is played.
        piece: gives tempo, swing and tuning.

    Returns:
        float32 ``[SAMPLES]``.
    """
    line = np.zeros(SAMPLES, np.float32)
    played: dict[tuple[object, ...], np.ndarray] = {}
    for note in notes:
        held = piece.samples_of(note.beats)
        name = (note.pitch, held, note.slide, note.cutoff)
        if name not in played:
            sound = patch if note.cutoff == 1 else replace(patch, cutoff=patch.cutoff * note.cutoff)
            played[name] = tone(sound, piece.hertz(note.pitch), held, note.slide)
        place(line, played[name], piece.sample_at(note.beat), note.level)
    return line


def place(line: np.ndarray, sound: np.ndarray, start: int, level: float = 1.0) -> None:
    """Add a sound to a line from a sample on; what reaches beyond the end is cut."""
    if 0 <= start < len(line):
        room = line[start : start + len(sound)]
        room += sound[: len(room)] * np.float32(level)
