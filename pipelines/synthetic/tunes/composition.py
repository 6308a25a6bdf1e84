"""Composing a tune: two or three parts of eight bars on a scale, stated by their cadences.

All pitches are in semitones above a tonic at 0, all times in beats. Places are positions in the *ladder*, the
notes of the scale within the compass of a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pipelines.synthetic.songs.chords import Chord, Span, chord
from pipelines.synthetic.songs.notes import Note
from pipelines.synthetic.songs.tunes import reflected
from pipelines.synthetic.tunes.dances import Dance
from pipelines.synthetic.tunes.modes import SCALES, chords_of, inflected

BARS = 8
"""Bars of a part."""

CIRCULAR = 0.18
"""Chance that a part runs on into the next one, and does not end on the tonic."""

# The bars of a part; a letter that comes again is the same bar. The cadence is not written.
_FORMS = ("abacabd", "abcdabe", "ababacd", "abacabc", "aabcaab", "abcdefg", "abacdae", "abcbabd")
_FORM_SHARES = (0.26, 0.26, 0.1, 0.12, 0.06, 0.08, 0.06, 0.06)

# Steps to the final tonic of the two notes before it, in the ladder.
_APPROACHES = ((2, 1), (1, -1), (1, 1), (-2, -1), (2, -1), (1, 2), (-1, 1), (-3, -1), (4, 2), (3, 1))
_APPROACH_SHARES = (0.26, 0.18, 0.06, 0.12, 0.08, 0.06, 0.08, 0.06, 0.05, 0.05)

# Lowest and highest weights of degrees of a tune, relative to others. Many major tunes dwell on the fifth and
# the sixth, and show their tonic by little more than their cadences.
_MAJOR_TASTES = {0: (0.6, 1.25), 2: (0.8, 1.4), 7: (0.8, 1.6), 9: (1.0, 3.0)}
_MINOR_TASTES = {0: (0.9, 1.5), 3: (0.8, 1.2), 5: (0.8, 1.2), 7: (0.8, 1.4), 10: (0.8, 1.3)}

_LOWEST = {-5: 0.4, 0: 0.22, -1: 0.12, -7: 0.12, -3: 0.07, -8: 0.07}

_T = TypeVar("_T")
_Bar = list[tuple[float, int]]
"""Lengths in beats and places of the notes of a bar."""


@dataclass(frozen=True)
class Part:
    """A part of a tune.

    Attributes:
        notes: of eight bars, without gaps; the last of them may lead to what comes next.
        harmony: the chords behind them.
        final: the note with which the part ends, before notes that lead on.
    """

    notes: tuple[Note, ...]
    harmony: tuple[Span, ...]
    final: Note


def weighted(rng: np.random.Generator, shares: Mapping[_T, float]) -> _T:
    """Draw one of the keys; the values are weights."""
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def compose(rng: np.random.Generator, dance: Dance, scale_name: str, plan: str) -> list[Part]:
    """Compose a tune.

    Args:
        rng: draws the tune.
        dance: its metre and rhythms.
        scale_name: in :data:`~pipelines.synthetic.tunes.modes.SCALES`.
        plan: one of the scale's plans.

    Returns:
        two or three parts, of which at least one ends on the tonic.
    """
    scale = SCALES[scale_name]
    first, second = chords_of(plan, scale.dominant)
    low = weighted(rng, _LOWEST)
    count = 3 if rng.random() < 0.12 else 2
    circular = [bool(rng.random() < CIRCULAR) for _ in range(count)]
    if all(circular):
        circular[-1] = False
    parts = []
    leads_on = rng.random() < 0.55
    taste = _draw_taste(rng, scale.degrees)
    for number in range(count):
        # The second part is often higher.
        lift = 0 if number % 2 == 0 or rng.random() < 0.25 else int(rng.integers(3, 8))
        ladder = _ladder(scale.degrees, low + lift, low + lift + int(rng.integers(13, 17)))
        writer = _Writer(rng, dance, ladder, [chord(name) for name in (first, second)[number % 2]], taste)
        parts.append(writer.part(number, circular=circular[number], leads_on=leads_on))
    return [Part(tuple(inflected(part.notes, scale_name, rng)), part.harmony, part.final) for part in parts]


def _ladder(degrees: Sequence[int], low: int, high: int) -> list[int]:
    return [note for note in range(low, high + 1) if note % 12 in degrees]


@dataclass(frozen=True)
class _Taste:
    """What a tune dwells on.

    Attributes:
        free: share of the stressed notes that may be outside the chord.
        weights: of degrees, in semitones above the tonic; others have 1.
    """

    free: float
    weights: Mapping[int, float]


def _draw_taste(rng: np.random.Generator, degrees: Sequence[int]) -> _Taste:
    tastes = _MAJOR_TASTES if 4 in degrees else _MINOR_TASTES
    return _Taste(rng.uniform(0.15, 0.6), {degree: rng.uniform(*edges) for degree, edges in tastes.items()})


@dataclass(frozen=True)
class _Writer:
    """Writes a part."""

    rng: np.random.Generator
    dance: Dance
    ladder: Sequence[int]
    chords: Sequence[Chord]
    taste: _Taste

    def part(self, number: int, *, circular: bool, leads_on: bool) -> Part:
        """Write the part with this number."""
        rng, dance = self.rng, self.dance
        form = _FORMS[int(rng.choice(len(_FORMS), p=_FORM_SHARES))]
        start = self._start(number)
        bars: list[_Bar] = []
        known: dict[str, tuple[_Bar, Chord]] = {}
        place = start
        for index, name in enumerate(form):
            harmony = self.chords[index]
            if name in known:
                bar = self._again(*known[name], harmony)
            else:
                bar = self._bar(harmony, place, None if bars else start)
                known[name] = bar, harmony
            if index == 3:
                bar = self._half_close(bar)
            bars.append(bar)
            place = bar[-1][1]
        bars.append(self._bar(self.chords[-1], place, None))
        notes = [note for bar in bars for note in bar]
        length = BARS * dance.beats
        final_length = float(rng.choice(dance.finals))
        notes = self._run_on(notes) if circular else self._close(notes, final_length)
        last = len(notes) - 1
        if not circular and leads_on and final_length > 0.9:
            notes = self._lead_on(notes, start, final_length)
        timed = self._timed(notes)
        assert abs(timed[-1].end - length) < 1e-6
        spans = [
            Span(float(bar * dance.beats), float((bar + 1) * dance.beats), harmony)
            for bar, harmony in enumerate(self.chords)
        ]
        return Part(tuple(timed), tuple(spans), timed[last])

    def _start(self, number: int) -> int:
        """Draw the first place of a part: tonic, third or fifth; a later part may begin anywhere on them."""
        classes = weighted(self.rng, {(0,): 0.4, (7,): 0.33, (3, 4): 0.24, (2,): 0.03})
        inside = [place for place, note in enumerate(self.ladder) if note % 12 in classes] or [0]
        return int(self.rng.choice(inside)) if number else inside[0 if self.rng.random() < 0.7 else -1]

    def _bar(self, harmony: Chord, near: int, first: int | None) -> _Bar:
        """Write a bar on a chord whose notes follow the place ``near``."""
        bar: _Bar = []
        place = near
        for group in range(self.dance.groups):
            place = first if first is not None and not group else self._stressed(harmony, place)
            rhythm = weighted(self.rng, self.dance.rhythms)
            if rhythm[0] > 1.5 * min(rhythm[-1], 0.5) and self.ladder[place] % 12 and self.rng.random() < 0.3:
                # Long notes are more often the tonic than anything else.
                rhythm = weighted(self.rng, self.dance.rhythms)
            offsets = self._figure(len(rhythm), place, harmony)
            bar += [
                (length, reflected(place + offset, len(self.ladder)))
                for length, offset in zip(rhythm, offsets, strict=True)
            ]
            place = bar[-1][1]
        return bar

    def _stressed(self, harmony: Chord, near: int) -> int:
        """Draw a note of the chord not far from a place."""
        rng, ladder = self.rng, self.ladder
        inside = [p for p, note in enumerate(ladder) if note % 12 in harmony.pitch_classes]
        if not inside or rng.random() < self.taste.free:
            inside = list(range(len(ladder)))
        weights = np.array(
            [
                np.exp(-abs(place - near) / 2.0) * self.taste.weights.get(ladder[place] % 12, 1.0)
                for place in inside
            ]
        )
        return int(inside[int(self.rng.choice(len(inside), p=weights / weights.sum()))])

    def _figure(self, count: int, place: int, harmony: Chord) -> list[int]:
        """Draw the steps from the first note of a group: a run, a turn, an arpeggio, a pedal."""
        rng = self.rng
        way = 1 if place < rng.uniform(0.25, 0.75) * len(self.ladder) else -1
        if rng.random() < self.dance.steps:
            kind = weighted(rng, {"run": 0.45, "turn": 0.25, "back": 0.3})
            if kind == "run":
                return [way * number for number in range(count)]
            if kind == "turn":
                return [(0, way, 0, -way)[number % 4] for number in range(count)]
            return [(0, way, 2 * way, way)[number % 4] for number in range(count)]
        kind = weighted(rng, {"arpeggio": 0.45, "pedal": 0.35, "repeat": 0.2})
        tones = [p - place for p, note in enumerate(self.ladder) if note % 12 in harmony.pitch_classes]
        onward = sorted((tone for tone in tones if tone * way > 0), key=abs) or [way, 2 * way]
        if kind == "arpeggio":
            return [0, *(onward[min(number // 2 if count > 4 else number, len(onward) - 1)]
                         for number in range(count - 1))]  # fmt: skip
        if kind == "repeat":
            return [(0, 0, way, 0)[number % 4] if count > 2 else 0 for number in range(count)]
        pedal = onward[int(rng.integers(min(2, len(onward))))]
        other = int(rng.choice([0, -way, way]))
        return [(0, pedal, other, pedal)[number % 4] for number in range(count)]

    def _again(self, bar: _Bar, was: Chord, harmony: Chord) -> _Bar:
        """Repeat a bar; over another chord mostly as much higher or lower as the chord is."""
        shift = 0
        if was.root != harmony.root and self.rng.random() < 0.75:
            semitones = (harmony.root - was.root + 5) % 12 - 5
            shift = round(semitones * len({note % 12 for note in self.ladder}) / 12)
        places = [place + shift for _, place in bar]
        if min(places) < 0 or max(places) >= len(self.ladder):
            return self._bar(harmony, bar[0][1], None)
        same = [(length, place) for (length, _), place in zip(bar, places, strict=True)]
        if self.rng.random() < 0.2:
            # Another ending.
            same[-1] = (same[-1][0], self._stressed(harmony, same[-1][1]))
        return same

    def _half_close(self, bar: _Bar) -> _Bar:
        """Let a bar end on the second or the fifth degree, or on the seventh below the tonic."""
        classes = weighted(self.rng, {(7,): 0.45, (2,): 0.35, (10, 11): 0.2})
        inside = [place for place, note in enumerate(self.ladder) if note % 12 in classes]
        if not inside or self.rng.random() < 0.2:
            return bar
        place = min(inside, key=lambda p: abs(p - bar[-1][1]))
        if len(bar) > 2 and self.rng.random() < 0.4:
            return [*bar[:-2], (bar[-2][0] + bar[-1][0], place)]
        return [*bar[:-1], (bar[-1][0], place)]

    def _close(self, notes: _Bar, final: float) -> _Bar:
        """Replace the end by an approach and a long tonic."""
        kept: _Bar = []
        left = BARS * self.dance.beats - final
        for length, place in notes:
            if left > 1e-6:
                kept.append((min(length, left), place))
            left -= length
        tonics = [place for place, note in enumerate(self.ladder) if note % 12 == 0]
        tonic = min(tonics, key=lambda p: abs(p - kept[-1][1]))
        steps = _APPROACHES[int(self.rng.choice(len(_APPROACHES), p=_APPROACH_SHARES))]
        for back, step in zip((2, 1), steps, strict=True):
            place = tonic + step
            # Below the lowest note of the compass there is only the way from above.
            place = place if 0 <= place < len(self.ladder) else reflected(tonic - step, len(self.ladder))
            kept[-back] = (kept[-back][0], place)
        return [*kept, (final, tonic)]

    def _run_on(self, notes: _Bar) -> _Bar:
        """Let the part end on a note that asks for more."""
        inside = [place for place, note in enumerate(self.ladder) if note % 12 in (2, 7, 10, 11)]
        place = min(inside, key=lambda p: abs(p - notes[-1][1])) if inside else notes[-1][1]
        return [*notes[:-1], (notes[-1][0], place)]

    def _lead_on(self, notes: _Bar, start: int, final: float) -> _Bar:
        """Shorten the last note for one to three notes that lead to the beginning."""
        rhythms: list[tuple[float, ...]] = list(self.dance.rhythms)
        quickest = min(rhythms, key=lambda rhythm: (len(rhythm) > 4, min(rhythm)))
        unit = max(min(quickest), 0.3)
        count = int(self.rng.integers(1, 4 if final > 1.5 else 2))
        while count and count * unit > final * 0.6 + 1e-6:
            count -= 1
        if not count:
            return notes
        way = -1 if self.rng.random() < 0.6 else 1
        led = [(unit, reflected(start + way * number, len(self.ladder))) for number in range(count, 0, -1)]
        return [*notes[:-1], (final - count * unit, notes[-1][1]), *led]

    def _timed(self, notes: _Bar) -> list[Note]:
        timed, beat = [], 0.0
        group = self.dance.beats / self.dance.groups
        for length, place in notes:
            stress = 1.0 if beat % group < 1e-6 or group - beat % group < 1e-6 else 0.78
            timed.append(Note(beat, beat + length, float(self.ladder[place]), stress))
            beat += length
        return timed
