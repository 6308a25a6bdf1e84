"""A corpus of synthetic clips: planned from a seed, rendered in several processes, resumable.

Every clip depends only on the seed, its kind, its number and its group. Keys are uniform: clip ``n`` has the
key with the class index ``n % 24``. A share of the groups of each kind (:data:`HELD_OUT`) is kept for
validation.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import soundfile

from pipelines.synthetic.accompaniments.generator import Tools
from pipelines.synthetic.clip import SAMPLE_RATE, Clip, Generator
from pipelines.text import stable_digest
from tfkey.errors import TfkeyError, UsageError
from tfkey.files import atomic_path, csv_lines, remove_partial, write_text
from tfkey.keys import KEYS, Key, Mode
from tfkey.processes import Crash, in_processes

KINDS = ("electronic", "accompaniments", "songs", "tunes")
HELD_OUT = 0.1
"""Share of the groups whose clips are for validation."""

TRACKS_CSV = "tracks.csv"
_COLUMNS = ("track", "path", "key", "split", "group", "seed")
_CLIPS_PER_JOB = 8


@dataclass(frozen=True)
class Planned:
    """A clip before it is made.

    Attributes:
        kind: one of :data:`KINDS`.
        number: its number within the kind, from 0.
        key: its key.
        group: its group, see :data:`pipelines.synthetic.clip.Generator`.
    """

    kind: str
    number: int
    key: Key
    group: str

    @property
    def name(self) -> str:
        """Its name, unique in the corpus."""
        return f"{self.kind}-{self.number:06d}"

    @property
    def path(self) -> str:
        """The path of its file, relative to the corpus."""
        return f"{self.kind}/{self.number // 1000:03d}/{self.name}.flac"

    @property
    def split(self) -> str:
        """``train`` or ``validation``."""
        return "validation" if is_held_out(self.kind, self.group) else "train"

    def row(self, seed: int) -> tuple[str, ...]:
        """Its line in ``tracks.csv``."""
        return self.name, self.path, self.key.long, self.split, f"{self.kind} {self.group}", str(seed)


@dataclass(frozen=True)
class _Corpus:
    """What all clips of a corpus have in common."""

    folder: Path
    seed: int
    tools: Tools


def is_held_out(kind: str, group: str) -> bool:
    """Whether the clips of a group are for validation."""
    return int(stable_digest(f"{kind}/{group}")[:8], 16) < HELD_OUT * 16**8


def plan(counts: Mapping[str, int], seed: int, tools: Tools) -> list[Planned]:
    """Plan the clips of a corpus; this takes milliseconds.

    A longer corpus of the same seed begins with the clips of a shorter one.

    Args:
        counts: the number of clips of each kind.
        seed: the seed of the corpus.
        tools: what accompaniments and tunes are made with; styles of MMA are planned only if it is there.

    Raises:
        UsageError: a kind is unknown.
    """
    planned = []
    for kind, count in counts.items():
        names = {mode: _groups(kind, mode, tools) for mode in get_args(Mode)}
        for number in range(count):
            key = KEYS[number % len(KEYS)]
            choices = names[key.mode]
            draw = _random(seed, kind, number, "group").integers(len(choices))
            planned.append(Planned(kind, number, key, choices[int(draw)]))
    return planned


def render_corpus(
    folder: Path,
    counts: Mapping[str, int],
    seed: int,
    tools: Tools,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render the clips that are missing, as mono 16-bit FLAC with their settings as a comment.

    Clips are at ``<kind>/<thousands>/<kind>-<number>.flac``, as listed in ``tracks.csv``. A clip that an
    existing list gives another key, group or seed is made again.

    The processes are spawned, so a script that calls this needs the usual ``if __name__ == "__main__":``.

    Args:
        folder: where to write; made if missing.
        counts: the number of clips of each kind.
        seed: the seed of the corpus.
        tools: what accompaniments and tunes are made with.
        workers: the number of processes.
        progress: called with the number of clips that are ready and of all clips.

    Returns:
        The path of ``tracks.csv``.

    Raises:
        UsageError: a kind is unknown.
        DataError: a soundfont is damaged.
        TfkeyError: the folder cannot be written to; a process was killed.
    """
    planned = plan(counts, seed, tools)
    listing = folder / TRACKS_CSV
    rows = {clip.name: clip.row(seed) for clip in planned}
    # The list comes first: a file that exists is then always the one that the list describes.
    for name, row in _listed(listing).items():
        if rows.get(name, row) != row:
            (folder / row[1]).unlink(missing_ok=True)
    text = csv_lines([_COLUMNS, *rows.values()])
    if not listing.is_file() or listing.read_text(encoding="utf-8") != text:
        write_text(listing, text)
    missing = [clip for clip in planned if not (folder / clip.path).is_file()]
    if missing:
        remove_partial(folder)
        _render(_Corpus(folder, seed, tools), missing, workers, len(planned), progress)
    return listing


def _render(
    corpus: _Corpus,
    missing: Sequence[Planned],
    workers: int,
    total: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    ready = total - len(missing)
    jobs = [missing[start : start + _CLIPS_PER_JOB] for start in range(0, len(missing), _CLIPS_PER_JOB)]
    if progress is not None:
        progress(ready, total)
    for outcome in in_processes(partial(_Maker, corpus), jobs, max(1, min(workers, len(jobs)))):
        if isinstance(outcome, Crash):
            raise TfkeyError(
                f"{corpus.folder}: a process that renders ended with {outcome.reason}; there may be too "
                "little memory: ask for fewer workers, and what is missing is rendered again"
            )
        if isinstance(outcome, TfkeyError):
            raise outcome
        ready += outcome
        if progress is not None:
            progress(ready, total)


@dataclass(frozen=True)
class _Maker:
    """Makes the clips of a job in another process."""

    corpus: _Corpus

    def __call__(self, job: Sequence[Planned]) -> int | TfkeyError:
        try:
            for clip in job:
                self._make(clip)
        except TfkeyError as error:
            return error
        return len(job)

    def _make(self, clip: Planned) -> None:
        made = make(clip, self.corpus.seed, self.corpus.tools)
        settings = {"group": clip.group, **made.settings}
        stream = io.BytesIO()
        # Not straight to a path: libsndfile does not say that a disk is full.
        with soundfile.SoundFile(stream, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as file:
            file.comment = json.dumps(settings, ensure_ascii=False)
            file.write(made.samples)
        path = self.corpus.folder / clip.path
        with atomic_path(path) as temporary:
            temporary.write_bytes(stream.getvalue())


def _groups(kind: str, mode: Mode, tools: Tools) -> Sequence[str]:
    if kind == "electronic":
        from pipelines.synthetic.electronic.generator import groups

        return groups(mode)
    if kind == "songs":
        from pipelines.synthetic.songs import song

        return song.groups(mode)
    if kind == "tunes":
        from pipelines.synthetic.tunes import modes

        return modes.group_names(mode)
    if kind == "accompaniments":
        from pipelines.synthetic.accompaniments import generator

        return generator.groups(mode, tools)
    raise UsageError(f"there is no kind {kind!r} of synthetic clips; kinds: {', '.join(KINDS)}")


def _generator(kind: str, tools: Tools) -> Generator:
    if kind == "electronic":
        from pipelines.synthetic.electronic.generator import electronic

        return electronic
    if kind == "songs":
        from pipelines.synthetic.songs.song import song

        return song
    if kind == "tunes":
        from pipelines.synthetic.tunes.generator import tune

        return partial(tune, tools=tools)
    from pipelines.synthetic.accompaniments.generator import accompaniment

    return partial(accompaniment, tools=tools)


def make(clip: Planned, seed: int, tools: Tools) -> Clip:
    """Make a planned clip."""
    rng = _random(seed, clip.kind, clip.number, "clip")
    return _generator(clip.kind, tools)(rng, clip.key, clip.group)


def _random(seed: int, kind: str, number: int, what: str) -> np.random.Generator:
    words = stable_digest(f"{kind}/{what}")[:8]
    return np.random.default_rng([seed, int(words, 16), number])


def _listed(listing: Path) -> dict[str, tuple[str, ...]]:
    """Return the rows of an existing list by name."""
    if not listing.is_file():
        return {}
    with listing.open(encoding="utf-8", newline="") as stream:
        rows = [tuple(row) for row in csv.reader(stream)][1:]
    return {row[0]: row for row in rows if len(row) == len(_COLUMNS)}
