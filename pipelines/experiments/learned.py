"""What a run was trained on: ``learned.csv`` in its folder, which keeps these intervals out of tests.

The intervals that a run is trained and validated on are recorded when it begins. Names identify a track that
has moved to another split, in any mode; digests identify a recording under another name in the same mode.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.data_folders import DataFolders
from pipelines.prepared.folder_files import read_text
from pipelines.prepared.manifest import PreparedDataset
from pipelines.prepared.split_intervals import SplitIntervals
from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.files import csv_lines, sha256, write_csv
from tfkey.runs import Run
from tfkey.settings import SPLITS

_COLUMNS = ("dataset", "key", "track", "part", "split", "digest")


@dataclass(frozen=True)
class Learned:
    """An interval that a run was trained or validated on; see :class:`pipelines.prepared.manifest.Row`."""

    dataset: str
    key: str
    track: str
    part: str
    split: str
    digest: str

    @property
    def place(self) -> tuple[str, ...]:
        """Everything but the digest, which may differ on another machine."""
        return self.dataset, self.key, self.track, self.part, self.split


def remember(run: Run, used: Iterable[SplitIntervals]) -> None:
    """Record what a run is about to be trained on, or compare it with what it began with.

    Raises:
        UsageError: the run began with other intervals.
        DataError: see :func:`read_learned`.
    """
    now = [
        Learned(dataset.name, row.key, row.track, str(row.part), row.split, row.digest)
        for intervals in used
        for dataset, rows in intervals.parts
        for row in rows
    ]
    before = read_learned(run)
    if before is None:
        write_csv(run.path / "learned.csv", _COLUMNS, ([*item.place, item.digest] for item in now))
    elif [item.place for item in before] != [item.place for item in now]:
        old, new = ({item.place for item in items} for items in (before, now))
        change = (
            f"{len(new - old)} new intervals, {len(old - new)} missing" if old != new else "another order"
        )
        raise UsageError(
            f"{run.path}: the data has changed since the run began ({change}); give the run another name, "
            "or delete the folder",
            remedy="name",
        )


def read_learned(run: Run) -> list[Learned] | None:
    """Return the intervals that a run was trained and validated on; None if they were not recorded.

    Raises:
        DataError: ``learned.csv`` is damaged.
    """
    path = run.path / "learned.csv"
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [Learned(**{name: line[name] for name in _COLUMNS}) for line in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: is damaged; put it back, or delete {run.path} and train again") from error


def data_digests(run: Run) -> dict[str, dict[str, int | str]]:
    """Return digests of the data that a run was trained and validated on.

    Returns:
        By dataset, in the order of training: ``tracks`` and ``intervals``, their numbers; ``learned``, the
        SHA-256 of the dataset's lines in ``learned.csv``; and ``manifest``, the SHA-256 of the prepared
        dataset's ``manifest.csv``, if it is still there and contains all of these intervals. Empty if the run
        did not record its intervals.

    Raises:
        DataError: see :func:`read_learned`.
    """
    by_dataset: dict[str, list[Learned]] = {}
    for item in read_learned(run) or ():
        by_dataset.setdefault(item.dataset, []).append(item)
    found: dict[str, dict[str, int | str]] = {}
    for name, items in by_dataset.items():
        lines = csv_lines([*item.place, item.digest] for item in items)
        found[name] = {
            "tracks": len({(item.key, item.track) for item in items}),
            "intervals": len(items),
            "learned": hashlib.sha256(lines.encode()).hexdigest(),
        }
        manifest = DataFolders.of(run.config, name).prepared(run.config.mode) / "manifest.csv"
        if _contains(manifest, items):
            found[name]["manifest"] = sha256(manifest)
    return found


def _contains(manifest: Path, items: Sequence[Learned]) -> bool:
    """Whether a manifest lists all intervals; False if no manifest can be read."""
    try:
        stream = io.StringIO(read_text(manifest), newline="")
        listed = {tuple(line[name] for name in _COLUMNS[1:]) for line in csv.DictReader(stream)}
    except (OSError, ValueError, KeyError, csv.Error, TfkeyError):
        return False
    return all((*item.place[1:], item.digest) in listed for item in items)


def check_unlearned(run: Run, datasets: Sequence[PreparedDataset], split: str) -> None:
    """Refuse to evaluate a run on intervals that were in an earlier split when it was trained.

    The test split must not contain training or validation tracks, nor the validation split training tracks.
    Within one dataset only names are compared: if it contains a recording twice, that is the user's decision.

    Raises:
        UsageError: names the dataset and the first of the tracks.
    """
    rank = {name: number for number, name in enumerate(SPLITS)}
    learned = [item for item in read_learned(run) or () if rank[item.split] < rank[split]]
    names = {(item.dataset, item.key, item.track) for item in learned}
    for dataset in datasets:
        elsewhere = {item.digest for item in learned if item.dataset != dataset.name}
        rows = dataset.split(split)
        tracks = [
            row.track
            for row in rows
            if (dataset.name, row.key, row.track) in names or row.digest in elsewhere
        ]
        if tracks:
            share = f"{len(set(tracks))} of the {len({row.track for row in rows})} tracks"
            raise UsageError(
                f"{run.path}: was trained or validated on {share} in the {split} split of {dataset.name}, "
                f"such as {tracks[0]}; evaluate it on other tracks"
            )
