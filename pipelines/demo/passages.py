"""The input and output of arranging: passages of a score, and the events that voices play."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.demo.scores import Note, Score


@dataclass(frozen=True)
class Event:
    """A note to play: start and duration in quarters, MIDI pitch, velocity 1 to 127."""

    start: float
    duration: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Voice:
    """The events of one instrument; ``program`` is the number of a drum kit if ``drums``."""

    program: int
    events: tuple[Event, ...]
    drums: bool = False


@dataclass(frozen=True)
class Passage:
    """The notes to arrange, from 0 to ``beats`` quarters; bars of ``bar`` quarters, one at ``barline``."""

    notes: tuple[Note, ...]
    beats: float
    bar: float
    barline: float

    def melody(self) -> list[Note]:
        """Return the highest part that is not silent, with only its highest note at any time."""
        highest = min(note.part for note in self.notes)
        return _one_at_a_time([note for note in self.notes if note.part == highest], highest=True)

    def bass(self) -> list[Note]:
        """Return the lowest part that is not silent, with only its lowest note at any time."""
        lowest = max(note.part for note in self.notes)
        return _one_at_a_time([note for note in self.notes if note.part == lowest], highest=False)

    def chords(self, step: float) -> list[tuple[float, list[int]]]:
        """Return what sounds at every ``step`` quarters: the place, and the pitches in ascending order.

        If nothing sounds, the previous chord continues.
        """
        found: list[tuple[float, list[int]]] = []
        place = 0.0
        while place < self.beats - 1e-6:
            sounding = {n.pitch for n in self.notes if n.onset <= place + 1e-6 < n.end - 1e-6}
            if sounding:
                found.append((place, sorted(sounding)))
            elif found:
                found.append((place, found[-1][1]))
            place += step
        return found


def cut(score: Score, section: str, beats: float, loop_beats: int = 0) -> Passage:
    """Take the opening or the close of a score; a section that is too short is repeated."""
    whole = -(-score.length // 1)
    span = min(float(loop_beats) or beats, whole)
    start = 0.0 if section == "opening" else max(0.0, whole - span)
    inside = [
        replace(n, onset=max(n.onset, start) - start, duration=min(n.end, start + span) - max(n.onset, start))
        for n in score.notes
        if n.onset < start + span - 1e-6 and n.end > start + 1e-6
    ]
    lead_in = min(note.onset for note in inside)
    inside = [replace(note, onset=note.onset - lead_in) for note in inside]
    notes: list[Note] = []
    shift = 0.0
    while shift < beats:
        notes += [replace(n, onset=n.onset + shift) for n in inside if n.onset + shift < beats]
        shift += span
    return Passage(tuple(notes), beats, score.bar, (score.pickup - start - lead_in) % score.bar)


def _one_at_a_time(notes: list[Note], *, highest: bool) -> list[Note]:
    best: dict[float, Note] = {}
    for note in notes:
        other = best.get(note.onset)
        if other is None or (note.pitch > other.pitch) == highest:
            best[note.onset] = note
    line = [best[onset] for onset in sorted(best)]
    for i, following in enumerate(line[1:]):
        if line[i].end > following.onset:
            line[i] = replace(line[i], duration=following.onset - line[i].onset)
    return line
