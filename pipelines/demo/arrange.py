"""Arrangements: the notes of a score, set for other instruments. The harmony does not change."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from pipelines.demo.passages import Event, Passage, Voice
from pipelines.demo.scores import Note

# General MIDI percussion key map: bass drum, snares, hats, ride, shaker.
KICK, SNARE, CLAP, CLOSED_HAT, OPEN_HAT, RIDE, SHAKER = 36, 38, 39, 42, 46, 51, 70


def arrange(
    passage: Passage, arrangement: str, programs: dict[str, tuple[int, ...]], seed: str
) -> list[Voice]:
    """Arrange a passage.

    Args:
        passage: the notes, already in the desired key.
        arrangement: ``parts``, ``keyboard``, ``duo``, ``pads``, ``arpeggio``, ``band`` or ``electro``.
        programs: one program per role of the arrangement; four for an ensemble.
        seed: the same seed gives the same arrangement.
    """
    voices = _ARRANGERS[arrangement](passage, programs, random.Random(f"arrange {seed}"))
    return [voice for voice in voices if voice.events]


def _into(pitch: int, lowest: int) -> int:
    """Return the pitch, moved by octaves into the octave that starts at ``lowest``."""
    return lowest + (pitch - lowest) % 12


def _velocity(draw: random.Random, loudness: float) -> int:
    return max(1, min(127, round(loudness * draw.uniform(0.9, 1.1))))


def _line(notes: Sequence[Note], shift: int, loudness: float, draw: random.Random) -> tuple[Event, ...]:
    return tuple(Event(n.onset, n.duration * 0.97, n.pitch + shift, _velocity(draw, loudness)) for n in notes)


def _octave(notes: Sequence[Note], choices: Sequence[int], draw: random.Random) -> int:
    """Return an octave shift that moves the median of a line close to one of the pitches in ``choices``."""
    middle = sorted(note.pitch for note in notes)[len(notes) // 2]
    return round((draw.choice(choices) - middle) / 12) * 12


def _lead(passage: Passage, program: int, loudness: float, draw: random.Random) -> Voice:
    melody = passage.melody()
    return Voice(program, _line(melody, _octave(melody, (66, 72, 72, 78), draw), loudness, draw))


def _parts(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    shift = draw.choice((0, 0, 0, 12, -12))
    ensemble = programs["ensemble"]
    voices = []
    for part in sorted({note.part for note in passage.notes}):
        own = [note for note in passage.notes if note.part == part]
        loudness = draw.uniform(75, 105)
        voices.append(Voice(ensemble[min(part, len(ensemble) - 1)], _line(own, shift, loudness, draw)))
    return voices


def _keyboard(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    (program,) = programs["keys"]
    shift = draw.choice((0, 0, 0, 12))
    events = _line(passage.notes, shift, draw.uniform(70, 105), draw)
    if draw.random() < 0.5:
        events += _line(passage.bass(), shift - 12, 80, draw)
    if draw.random() < 0.3:
        events += _line(passage.melody(), shift + 12, 80, draw)
    return [Voice(program, events)]


def _duo(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    bass = passage.bass()
    return [
        _lead(passage, programs["lead"][0], 95, draw),
        Voice(programs["bass"][0], _line(bass, _octave(bass, (40, 45), draw), 95, draw)),
    ]


def _block_chords(passage: Passage, program: int, step: float, loudness: float, draw: random.Random) -> Voice:
    lowest = draw.choice((52, 55, 58, 64))
    spread = draw.random() < 0.5
    events: list[Event] = []
    for place, chord in passage.chords(step):
        pitches = {_into(pitch, lowest) for pitch in chord}
        if spread:
            pitches |= {_into(chord[-1], lowest + 12), _into(chord[0], lowest - 12)}
        events += [Event(place, step * 0.98, pitch, _velocity(draw, loudness)) for pitch in sorted(pitches)]
    return Voice(program, _joined(events))


def _joined(events: list[Event]) -> tuple[Event, ...]:
    """Join consecutive events of the same pitch into one: a pad does not strike again."""
    held: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda e: (e.start, e.pitch)):
        line = held.setdefault(event.pitch, [])
        if line and event.start - (line[-1].start + line[-1].duration) < 0.1 * event.duration:
            line[-1] = replace(line[-1], duration=event.start + event.duration - line[-1].start)
        else:
            line.append(event)
    return tuple(sorted((e for line in held.values() for e in line), key=lambda e: (e.start, e.pitch)))


def _pads(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    voices = [_block_chords(passage, programs["pad"][0], draw.choice((1.0, 2.0)), 85, draw)]
    if draw.random() < 0.6:
        voices.append(_lead(passage, programs["lead"][0], 90, draw))
    if draw.random() < 0.6:
        voices.append(_bass_groove(passage, programs["bass"][0], "held", 90, draw))
    return voices


def _arpeggio_line(passage: Passage, program: int, loudness: float, draw: random.Random) -> Voice:
    per_beat = draw.choice((2, 3, 4, 4, 6, 8))
    pattern = draw.choice(("up", "down", "wave", "alberti", "random"))
    lowest = draw.choice((48, 55, 60, 67, 74))
    ring = draw.choice((0.9, 1.0, 2.0))
    events: list[Event] = []
    count = 0
    for place, chord in passage.chords(1.0):
        tones = sorted({_into(pitch, lowest) for pitch in chord})
        tones = [*tones, tones[0] + 12]
        order = {
            "up": tones,
            "down": tones[::-1],
            "wave": tones + tones[-2:0:-1],
            "alberti": [tones[0], tones[-2], tones[1], tones[-2]],
            "random": draw.sample(tones, len(tones)),
        }[pattern]
        for i in range(per_beat):
            start = place + i / per_beat
            if start < passage.beats:
                velocity = _velocity(draw, loudness * (1.0 if i == 0 else 0.85))
                events.append(Event(start, ring / per_beat, order[count % len(order)], velocity))
            count += 1
    return Voice(program, tuple(events))


def _arpeggio(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    voices = [_arpeggio_line(passage, programs["pluck"][0], 90, draw)]
    if draw.random() < 0.75:
        voices.append(_bass_groove(passage, programs["bass"][0], "held", 85, draw))
    if draw.random() < 0.5:
        voices.append(_lead(passage, programs["lead"][0], 95, draw))
    return voices


def _bass_groove(passage: Passage, program: int, pattern: str, loudness: float, draw: random.Random) -> Voice:
    """Play the lowest tone of each chord in a low octave: ``held``, ``pulse``, ``octaves`` or ``offbeat``."""
    lowest = draw.choice((28, 31, 33, 36))
    events: list[Event] = []
    for place, chord in passage.chords(1.0):
        root = _into(chord[0], lowest)
        if pattern == "held":
            events.append(Event(place, 0.98, root, _velocity(draw, loudness)))
        for i in range(0 if pattern == "held" else 4):
            if pattern == "offbeat" and i % 2 == 0:
                continue
            pitch = root + 12 if pattern == "octaves" and i % 2 else root
            events.append(Event(place + i / 4, 0.22, pitch, _velocity(draw, loudness)))
    return Voice(program, _joined(events) if pattern == "held" else tuple(events))


def _drums(passage: Passage, kit: int, groove: str, draw: random.Random) -> Voice:
    """Play two drum beats per quarter: ``rock``, ``floor`` (four to the floor) or ``half``."""
    hat = draw.choice((CLOSED_HAT, CLOSED_HAT, RIDE, SHAKER))
    loudness = draw.uniform(60, 110)
    back = draw.choice((SNARE, SNARE, CLAP))
    hits: list[Event] = []

    def hit(place: float, drum: int, share: float = 1.0) -> None:
        if 0 <= place < passage.beats:
            hits.append(Event(place, 0.1, drum, _velocity(draw, loudness * share)))

    beat = passage.barline % 1.0
    index = 0
    while beat < passage.beats:
        for i in range(4):
            hit(beat + i / 4, hat, 0.7 if i % 2 else 0.85)
        if groove == "floor":
            hit(beat, KICK)
            hit(beat + 0.25, OPEN_HAT, 0.6)
            hit(beat + 0.5, KICK)
            hit(beat + 0.5, back, 0.9)
        elif groove == "half":
            hit(beat, KICK if index % 2 == 0 else back)
        else:
            hit(beat, KICK)
            hit(beat + 0.5, back, 0.95)
            if draw.random() < 0.3:
                hit(beat + 0.75, KICK, 0.8)
        beat += 1
        index += 1
    return Voice(kit, tuple(hits), drums=True)


def _comping(passage: Passage, program: int, draw: random.Random) -> Voice:
    """Short chords on, or after, the beat."""
    lowest = draw.choice((52, 55, 60))
    places = draw.choice(((0.0,), (0.0, 0.5), (0.25, 0.75), (0.0, 0.375, 0.75), (0.0, 0.25, 0.5, 0.75)))
    length = draw.choice((0.2, 0.24, 0.45))
    events = [
        Event(place + i, length, pitch, _velocity(draw, 80))
        for place, chord in passage.chords(1.0)
        for i in places
        for pitch in sorted({_into(p, lowest) for p in chord})
        if place + i < passage.beats
    ]
    return Voice(program, tuple(events))


def _band(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    voices = [
        _drums(passage, programs["kit"][0], draw.choice(("rock", "rock", "half", "floor")), draw),
        _bass_groove(
            passage, programs["bass"][0], draw.choice(("held", "pulse", "pulse", "octaves")), 95, draw
        ),
        _comping(passage, programs["keys"][0], draw),
    ]
    if draw.random() < 0.7:
        voices.append(_lead(passage, programs["lead"][0], 95, draw))
    return voices


def _electro(passage: Passage, programs: dict[str, tuple[int, ...]], draw: random.Random) -> list[Voice]:
    pad = _block_chords(passage, programs["pad"][0], 1.0, 85, draw)
    if draw.random() < 0.4:
        pad = _comping(passage, programs["pad"][0], draw)
    pattern = draw.choice(("offbeat", "pulse", "octaves", "held"))
    voices = [
        _drums(passage, programs["kit"][0], draw.choice(("floor", "floor", "half")), draw),
        _bass_groove(passage, programs["bass"][0], pattern, 100, draw),
        pad,
    ]
    if draw.random() < 0.7:
        voices.append(_arpeggio_line(passage, programs["pluck"][0], 80, draw))
    if draw.random() < 0.35:
        voices.append(_lead(passage, programs["lead"][0], 90, draw))
    return voices


_ARRANGERS: dict[str, Callable[[Passage, dict[str, tuple[int, ...]], random.Random], list[Voice]]] = {
    "parts": _parts,
    "keyboard": _keyboard,
    "duo": _duo,
    "pads": _pads,
    "arpeggio": _arpeggio,
    "band": _band,
    "electro": _electro,
}
