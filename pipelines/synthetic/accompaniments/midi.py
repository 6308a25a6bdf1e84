"""Standard MIDI Files: from parts and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.synthetic.accompaniments.parts import Note, Part
from tfkey.errors import DataError

_TICKS = 480
"""Ticks of a beat in the files written here."""

_DRUM_CHANNEL = 9
_VOLUME, _PAN, _REVERB, _CHORUS = 7, 10, 91, 93
MOST_PARTS = 15
"""Pitched parts that have a channel of their own."""


def midi_bytes(parts: Sequence[Part], tempo: float, seconds: float, rng: np.random.Generator) -> bytes:
    """Return the MIDI file (format 1) of a band, with a track for each part.

    Args:
        parts: at most :data:`MOST_PARTS` pitched ones, and drums.
        tempo: beats a minute.
        seconds: notes that start later are left out, others end here at the latest.
        rng: draws reverberation, chorus and position of each part.
    """
    end = round(seconds * tempo / 60 * _TICKS)
    room = int(rng.integers(0, 80))
    tracks = [b"\x00\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big") + _end_of_track(end)]
    channels = iter(channel for channel in range(16) if channel != _DRUM_CHANNEL)
    for part in parts:
        channel = _DRUM_CHANNEL if part.role == "drums" else next(channels)
        controls = {
            _VOLUME: part.volume,
            _PAN: int(rng.integers(34, 95)),
            _REVERB: room,
            _CHORUS: int(rng.integers(0, 50)),
        }
        head = bytes([0, 0xC0 | channel, part.program])
        head += b"".join(bytes([0, 0xB0 | channel, *control]) for control in controls.items())
        if part.cents:
            head += _bend(part.cents, channel)
        tracks.append(head + _events(part.notes, channel, end))
    content = b"MThd" + (6).to_bytes(4, "big")
    content += b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), _TICKS))
    return content + b"".join(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)


def _bend(cents: float, channel: int) -> bytes:
    """Return the event that tunes a channel whose wheel reaches two semitones, as it does by default."""
    value = max(0, min(16383, 8192 + round(cents / 200 * 8192)))
    return bytes([0, 0xE0 | channel, value & 0x7F, value >> 7])


def _events(notes: Sequence[Note], channel: int, end: int) -> bytes:
    """Return the notes of a part that start before ``end``, a tick, as the events of a track."""
    switches = []
    for note in notes:
        start = max(0, round(note.start * _TICKS))
        if start < end and 0 <= note.pitch <= 127:
            stop = min(end, max(start + 1, round((note.start + note.duration) * _TICKS)))
            # At one place notes end before others start, or a repeated note would be cut short.
            switches += [(stop, 0, note.pitch, 0), (start, 1, note.pitch, max(1, min(127, note.velocity)))]
    events, now = [], 0
    for place, is_on, pitch, velocity in sorted(switches):
        events.append(
            _variable_length(place - now) + bytes([(0x90 if is_on else 0x80) | channel, pitch, velocity])
        )
        now = place
    return b"".join(events) + _end_of_track(max(0, end - now))


def _end_of_track(delay: int) -> bytes:
    return _variable_length(delay) + b"\xff\x2f\x00"


def _variable_length(number: int) -> bytes:
    """Return a number as MIDI writes times: seven bits a byte; the eighth is set in all but the last."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def read_midi(path: Path, marker: str) -> tuple[list[Part], list[float]]:
    """Read a MIDI file.

    Returns:
        Its parts, with the role ``chords`` where the program is no bass, and the places in beats of the
        markers with this text. Tempo, controllers and bends are not returned.

    Raises:
        DataError: the file is missing or is no MIDI file.
    """
    import mido

    try:
        file = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, IndexError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a MIDI file ({type(error).__name__}: {error})") from error
    beat = file.ticks_per_beat
    notes: defaultdict[int, list[Note]] = defaultdict(list)
    programs: dict[int, int] = {}
    markers = []
    for track in file.tracks:
        now = 0
        started: dict[tuple[int, int], tuple[int, int]] = {}
        for message in track:
            now += message.time
            if message.type == "program_change":
                programs[message.channel] = message.program
            elif message.type == "note_on" and message.velocity:
                started[message.channel, message.note] = now, message.velocity
            elif message.type in ("note_on", "note_off"):
                start, velocity = started.pop((message.channel, message.note), (now, 0))
                if velocity:
                    note = Note(start / beat, (now - start) / beat, message.note, velocity)
                    notes[message.channel].append(note)
            elif message.type == "marker" and message.text == marker:
                markers.append(now / beat)
    parts = []
    for channel in sorted(notes):
        program = programs.get(channel, 0)
        role = "drums" if channel == _DRUM_CHANNEL else "bass" if 32 <= program < 40 else "chords"
        parts.append(Part(role, program, tuple(notes[channel])))
    return parts, sorted(markers)
