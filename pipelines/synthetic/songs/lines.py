"""Lines for one player: wavetables read at a pitch that glides, trembles and scoops.

A line is controlled every :data:`HOP` samples. Its timbre is a row of wavetables, two to a note (its
beginning and its end), each with only those harmonics that the sample rate can carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.songs.notes import Note

HOP = 64
"""Samples between two points of control."""

RATE = SAMPLE_RATE / HOP
"""Points of control per second."""

TABLE = 2048
"""Samples of a period in a wavetable."""

HIGHEST = 7500.0
"""Highest harmonic of a table in Hz: a leap of a fifth upwards stays below the Nyquist frequency."""


@dataclass(frozen=True)
class Manner:
    """How a player moves from note to note.

    Attributes:
        attack: seconds from silence to full loudness.
        release: seconds from full loudness to silence.
        glide: seconds of the way from one pitch to the next.
        vibrato_depth: greatest distance from the pitch, in cents.
        vibrato_rate: in Hz.
        vibrato_delay: seconds after the beginning of a note at which vibrato starts to grow.
        scoop: chance that a note starts from below.
        scoop_depth: from how far below at most, in cents.
        wander: standard deviation of the slow deviations from the pitch, in cents.
        intonation: standard deviation of the error of each note, in cents.
        offset: error of the player, in cents.
        slope: standard deviation of how far the pitch moves in the course of a note, in cents.
        fall: chance that the pitch falls by up to ``scoop_depth`` at the end of a note.
        shimmer: standard deviation of the loudness, relative to it, several times a second.
    """

    attack: float = 0.03
    release: float = 0.05
    glide: float = 0.03
    vibrato_depth: float = 0.0
    vibrato_rate: float = 5.5
    vibrato_delay: float = 0.2
    scoop: float = 0.0
    scoop_depth: float = 150.0
    wander: float = 0.0
    intonation: float = 0.0
    offset: float = 0.0
    slope: float = 0.0
    fall: float = 0.0
    shimmer: float = 0.0


def harmonics(frequency: float) -> np.ndarray:
    """Return the frequencies in Hz of the harmonics up to :data:`HIGHEST`, at least one."""
    return frequency * np.arange(1, max(1, int(HIGHEST / frequency)) + 1)


def wavetables(amplitudes: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return one period for each set of amplitudes.

    The phases of the harmonics are random, but the same in all tables, so that a mixture of two tables has
    harmonics between theirs.

    Args:
        amplitudes: for each table, the amplitudes of its harmonics from the first on.
        rng: draws the phases.

    Returns:
        float32 ``[tables, TABLE + 1]``, with a root mean square of 1; the last sample repeats the first.
    """
    most = max(len(row) for row in amplitudes)
    phases = np.exp(2j * np.pi * rng.random(most))
    spectra = np.zeros((len(amplitudes), TABLE // 2 + 1), np.complex128)
    for spectrum, row in zip(spectra, amplitudes, strict=True):
        spectrum[1 : len(row) + 1] = row * phases[: len(row)]
    tables = np.fft.irfft(spectra, TABLE)
    tables /= np.sqrt(np.mean(np.square(tables), axis=1, keepdims=True)) + 1e-12
    return np.concatenate([tables, tables[:, :1]], axis=1).astype(np.float32)


def smoothed(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Return a curve of control points averaged over about ``seconds``, by a Hann window."""
    width = round(seconds * RATE)
    if width < 2:
        return curve
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(curve, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def smooth_noise(rng: np.random.Generator, points: int, hertz: float) -> np.ndarray:
    """Return random deviations with a standard deviation of about 1 that change ``hertz`` times a second."""
    knots = rng.standard_normal(max(2, int(points / RATE * hertz) + 2))
    return np.interp(np.linspace(0, len(knots) - 1, points), np.arange(len(knots)), knots) * 1.2


def upsampled(curve: np.ndarray) -> np.ndarray:
    """Return control points as samples on straight lines between them, ``[points - 1, HOP]``."""
    ramp = np.arange(HOP, dtype=np.float32) / np.float32(HOP)
    start = curve[:-1, None]
    return start + ramp * (curve[1:, None] - start)


def look_up(tables: np.ndarray, cycles: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Read wavetables, interpolated within a table and between neighbours.

    Args:
        tables: float32 ``[tables, TABLE + 1]``.
        cycles: the phase in periods, any shape.
        place: which table, as a number with fractions from 0 to ``tables - 1``; same shape.

    Returns:
        float32, same shape.
    """
    position = ((cycles - np.floor(cycles)) * TABLE).astype(np.float32)
    index = np.minimum(position.astype(np.int32), TABLE - 1)
    fraction = position - index
    row = np.minimum(place.astype(np.int32), max(0, len(tables) - 2))
    between = (place - row).astype(np.float32)
    index += row * np.int32(TABLE + 1)
    flat = tables.ravel()
    step = TABLE + 1 if len(tables) > 1 else 0
    here = flat[index]
    here += fraction * (flat[index + 1] - here)
    index += step
    there = flat[index]
    there += fraction * (flat[index + 1] - there)
    here += between * (there - here)
    return here


def owners(notes: Sequence[Note], points: int) -> np.ndarray:
    """Return for each control point the index of the note that sounds or has sounded last, ``[points]``."""
    starts = np.array([note.start for note in notes])
    times = np.arange(points) / RATE
    return np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(notes) - 1)


def loudness(notes: Sequence[Note], manner: Manner, points: int) -> np.ndarray:
    """Return the loudness at each control point, from 0 to 1, ``[points]``; notes that touch are slurred."""
    times, level = np.arange(points) / RATE, np.zeros(points)
    for number, note in enumerate(notes):
        following = notes[number + 1].start if number + 1 < len(notes) else np.inf
        end = min(note.end, following)
        first, last = max(0, int(note.start * RATE)), min(points, int((end + manner.release) * RATE) + 2)
        if last <= first:
            continue
        time = times[first:last]
        rise = np.clip((time - note.start) / manner.attack, 0, 1)
        fall = np.clip(1 - (time - end) / manner.release, 0, 1)
        level[first:last] = np.maximum(level[first:last], note.velocity * rise * fall)
    level[0] = level[-1] = 0
    return level


def pitches(
    notes: Sequence[Note], manner: Manner, points: int, drift: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Return the MIDI pitch at each control point, with everything that the manner asks for, ``[points]``.

    Args:
        notes: in seconds, in order.
        manner: how they are played.
        points: how many control points.
        drift: in cents at each control point, for all players together; None for none.
        rng: draws errors, scoops and the phase of the vibrato.
    """
    owner, times = owners(notes, points), np.arange(points) / RATE
    steps = np.array([note.pitch for note in notes], np.float64)
    steps += (rng.normal(0, 1, len(notes)) * manner.intonation + manner.offset) / 100
    since = times - np.array([note.start for note in notes])[owner]
    curve = smoothed(steps[owner], manner.glide)
    if manner.scoop:
        depth = rng.uniform(0.2, 1, len(notes)) * (rng.random(len(notes)) < manner.scoop)
        curve = curve - depth[owner] * manner.scoop_depth / 100 * np.exp(-np.maximum(since, 0) / 0.06)
    if manner.vibrato_depth:
        growth = np.clip((since - manner.vibrato_delay) / 0.3, 0, 1)
        wave = np.sin(2 * np.pi * (manner.vibrato_rate * times + rng.random()))
        curve = curve + growth * manner.vibrato_depth / 100 * wave
    if manner.slope or manner.fall:
        left = np.maximum(np.array([note.end for note in notes])[owner] - times, 0)
        slopes = np.clip(rng.normal(0, 1, len(notes)), -2, 2) * manner.slope / 100
        falls = rng.uniform(0.2, 1, len(notes)) * (rng.random(len(notes)) < manner.fall)
        bent = falls[owner] * manner.scoop_depth / 100 * np.exp(-left / 0.05)
        curve = curve + slopes[owner] * (np.clip(since / np.maximum(since + left, 0.05), 0, 1) - 0.5) - bent
    if manner.wander:
        slow, fast = smooth_noise(rng, points, 4.0), smooth_noise(rng, points, 25.0)
        curve = curve + manner.wander / 100 * (slow + 0.5 * fast)
    return curve if drift is None else curve + drift[:points] / 100


def play(
    notes: Sequence[Note],
    tables: np.ndarray,
    manner: Manner,
    samples: int,
    rng: np.random.Generator,
    drift: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Play a line.

    Args:
        notes: in seconds, in order of their starts; a note ends at the latest where the next begins.
        tables: two to a note: ``[2 * notes, TABLE + 1]``.
        manner: how the notes are played.
        samples: length of the result.
        rng: draws what the manner leaves open.
        drift: in cents at each control point, or None.

    Returns:
        the waveform, float32 ``[samples]``, and the loudness at the control points (:func:`loudness`).
    """
    points = -(-samples // HOP) + 1
    level = loudness(notes, manner, points)
    if manner.shimmer:
        level *= np.clip(1 + manner.shimmer * smooth_noise(rng, points, 30.0), 0.2, 2)
    pitch = pitches(notes, manner, points, drift, rng)
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    owner, times = owners(notes, points), np.arange(points) / RATE
    starts, ends = (np.array([getattr(note, name) for note in notes]) for name in ("start", "end"))
    within = np.clip((times - starts[owner]) / np.maximum(ends - starts, 0.02)[owner], 0, 1)
    place = np.minimum(smoothed(2 * owner + within, 0.03), len(tables) - 1)

    out = np.zeros((points - 1, HOP), np.float32)
    # Silence costs nothing: only stretches between two points that sound are computed.
    sounding = (level[:-1] > 0) | (level[1:] > 0)
    steps = upsampled(frequency)[sounding] / SAMPLE_RATE
    cycles = np.cumsum(steps.ravel()).reshape(steps.shape)
    wave = look_up(tables, cycles, upsampled(place.astype(np.float32))[sounding])
    out[sounding] = wave * upsampled(level.astype(np.float32))[sounding]
    return out.ravel()[:samples], level
