"""The scores of the demo dataset: real compositions, read from the corpus bundled with music21."""

from __future__ import annotations

import csv
import importlib.util
import statistics
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from tfkey.errors import DataError
from tfkey.keys import Key

PIECES_CSV = "pieces.csv"


@dataclass(frozen=True)
class Piece:
    """A composition of the demo: one row of ``pieces.csv``.

    Args:
        name: short and unique, ``[a-z0-9_]``.
        file: its path below the ``corpus`` folder of music21.
        composer: who wrote it.
        work: title or catalogue number, and the movement if any.
        key: the key that it is in.
        tune: what it shares with others: two settings of one hymn tune, two movements of one work. Pieces
            with one tune are always in one split.
        split: ``train``, ``validation`` or ``test``.
        sections: which of its parts are in its key for certain: ``opening``, or ``opening`` and ``close``.
    """

    name: str
    file: str
    composer: str
    work: str
    key: Key
    tune: str
    split: str
    sections: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """A note: onset and duration in quarter notes, MIDI pitch, and the number of its part (0: highest)."""

    onset: float
    duration: float
    pitch: int
    part: int

    @property
    def end(self) -> float:
        """Where it ends, in quarter notes."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Score:
    """The notes of a piece, ordered by onset, from the first onset (0) to the last end (``length``).

    ``bar`` is the length of a bar and ``pickup`` the place of the first barline, both in quarter notes.
    """

    notes: tuple[Note, ...]
    length: float
    bar: float
    pickup: float


@lru_cache(maxsize=1)
def pieces() -> tuple[Piece, ...]:
    """All pieces of the demo, as ``pieces.csv`` lists them."""
    text = resources.files(__package__).joinpath(PIECES_CSV).read_text(encoding="utf-8")
    return tuple(
        Piece(
            name=row["piece"],
            file=row["file"],
            composer=row["composer"],
            work=row["work"],
            key=Key.parse(row["key"]),
            tune=row["tune"],
            split=row["split"],
            sections=tuple(row["sections"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    )


def corpus_folder() -> Path:
    """The folder of music21's corpus, found without importing music21.

    Raises:
        DataError: music21 is not installed.
    """
    spec = importlib.util.find_spec("music21")
    if spec is None or spec.origin is None:
        raise DataError(
            "the demo dataset reads its scores from music21, which is missing: pip install music21"
        )
    return Path(spec.origin).parent / "corpus"


def read_score(file: str) -> Score:
    """Read a score of the corpus; takes some 0.1 s for a chorale.

    Pitches are as they sound; tied notes are one note; grace notes and chord symbols are left out.

    Raises:
        DataError: the corpus lacks the file, or the file has no notes.
    """
    from music21 import converter, harmony

    path = corpus_folder() / file
    if not path.is_file():
        raise DataError(
            f"{path}: the demo's score is missing; install music21 with its corpus (music21>=9.1)"
        )
    with warnings.catch_warnings():
        # Ornaments that overfill a bar, and the like: nothing that a listener of the demo could hear.
        warnings.simplefilter("ignore")
        parsed: Any = converter.parse(path, forceSource=True)
    if parsed.atSoundingPitch is not True:
        parsed.toSoundingPitch(inPlace=True)
    notes = [
        note
        for index, part in enumerate(parsed.parts)
        for note in _untied(
            (
                Note(float(offset), float(element.quarterLength), int(pitch.midi), index),
                _is_tied_back(element, i),
            )
            for offset, element in _placed(part)
            if element.quarterLength > 0 and not isinstance(element, harmony.ChordSymbol)
            for i, pitch in enumerate(element.pitches)
        )
    ]
    if not notes:
        raise DataError(f"{path}: contains no notes; reinstall music21")
    start = min(note.onset for note in notes)
    ranked = sorted({note.part for note in notes}, key=lambda part: (-_median_pitch(notes, part), part))
    moved = (Note(n.onset - start, n.duration, n.pitch, ranked.index(n.part)) for n in notes)
    ordered = tuple(sorted(moved, key=lambda n: (n.onset, n.part, n.pitch)))
    bar, barline = _bars(parsed)
    return Score(ordered, max(note.end for note in ordered), bar, (barline - start) % bar)


def _placed(part: Any) -> Iterator[tuple[float, Any]]:
    """Notes and chords of a part with their places in it.

    Far faster than flattening the part, which copies it.
    """
    for measure in part.getElementsByClass("Measure"):
        for container in (measure, *measure.voices):
            start = measure.offset if container is measure else measure.offset + container.offset
            for element in container.notes:
                yield start + element.offset, element


def _is_tied_back(element: Any, index: int) -> bool:
    tie = element.tie if element.isNote else element[index].tie
    return tie is not None and tie.type in ("stop", "continue")


def _untied(notes: Iterable[tuple[Note, bool]]) -> list[Note]:
    """Make each chain of tied notes one note."""
    joined: list[Note] = []
    latest: dict[int, int] = {}
    for note, tied_back in sorted(notes, key=lambda pair: pair[0].onset):
        before = latest.get(note.pitch)
        if tied_back and before is not None and abs(joined[before].end - note.onset) < 1e-6:
            joined[before] = replace(joined[before], duration=note.end - joined[before].onset)
        else:
            latest[note.pitch] = len(joined)
            joined.append(note)
    return joined


def _median_pitch(notes: list[Note], part: int) -> float:
    return statistics.median(note.pitch for note in notes if note.part == part)


def _bars(parsed: Any) -> tuple[float, float]:
    """Length of a bar, and the place of one barline, both in quarter notes."""
    measures = list(parsed.parts[0].getElementsByClass("Measure"))
    bar = float(measures[0].barDuration.quarterLength) if measures else 4.0
    barline = float(measures[1].offset) if len(measures) > 1 else 0.0
    return bar, barline
