"""What is on disk of a dataset: complete and partial originals, prepared data of each mode, and its keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipelines.catalogue.labels import key_histogram, select_tracks
from pipelines.catalogue.parts import ArchiveLabels, ListLabels, VoteLabels
from pipelines.catalogue.specs import DatasetSpec, find_spec, is_dataset_name, own_spec
from pipelines.catalogue.votes import read_votes
from pipelines.data_folders import DataFolders, prepared_folders
from pipelines.prepared.folder_files import read_text
from tfkey.errors import DataError
from tfkey.files import PARTIAL_SUFFIX
from tfkey.keys import Key
from tfkey.settings import MODES, SPLITS
from tfkey.storage import storage_errors
from tfkey.votes import key_of, mixed


@dataclass(frozen=True)
class Prepared:
    """A dataset's folder of one mode.

    Attributes:
        state: ``ready``, ``unfinished`` (interrupted or still running) or ``damaged`` (``dataset.json`` is).
        intervals: the number of intervals by split.
        tracks: the number of tracks by split and by the long name of the key.
    """

    state: Literal["ready", "unfinished", "damaged"]
    intervals: dict[str, int] = field(default_factory=dict)
    tracks: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class OnDisk:
    """What is on disk of a dataset.

    Attributes:
        files: the number of complete originals; ``size`` is their size in bytes.
        partial: the number of partial originals; ``partial_size`` is their size in bytes.
        prepared: the prepared data by mode, without modes that have none.
    """

    files: int
    size: int
    partial: int
    partial_size: int
    prepared: dict[str, Prepared]


def find_on_disk(name: str, data_dir: Path, cache_dir: Path | None = None) -> OnDisk:
    """Look for the originals and the prepared data of a dataset (see :mod:`pipelines.data_folders`)."""
    folders = DataFolders(data_dir, name, cache_dir)
    sizes: dict[bool, list[int]] = {False: [], True: []}
    for path in folders.originals.rglob("*"):
        hidden = [part for part in path.relative_to(folders.originals).parts if part.startswith(".")]
        # Partial downloads end in .part; partially written or unpacked files contain PARTIAL_SUFFIX.
        is_partial = any(PARTIAL_SUFFIX in part or part.endswith(".part") for part in hidden)
        if path.is_file() and (is_partial or not hidden):
            sizes[is_partial].append(path.stat().st_size)
    with storage_errors(data_dir):
        prepared = {
            mode: _read_prepared(folder) for mode in MODES if (folder := folders.prepared(mode)).is_dir()
        }
    return OnDisk(len(sizes[False]), sum(sizes[False]), len(sizes[True]), sum(sizes[True]), prepared)


def names_on_disk(data_dir: Path) -> list[str]:
    """Return the datasets prepared in any mode, completely or partly, including the user's own; sorted."""
    with storage_errors(data_dir):
        return sorted(
            {
                path.name
                for mode in MODES
                for path in prepared_folders(data_dir, mode)
                if path.is_dir() and is_dataset_name(path.name)
            }
        )


def _read_prepared(folder: Path) -> Prepared:
    try:
        document = json.loads(read_text(folder / "dataset.json"))
        return Prepared(
            "ready",
            {split: int(document["intervals"][split]) for split in SPLITS},
            {split: _key_counts(document["tracks"][split]) for split in SPLITS},
        )
    except FileNotFoundError:
        return Prepared("unfinished")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Prepared("damaged")


def _key_counts(counts: dict[str, int]) -> dict[str, int]:
    return {Key.parse(name).long: int(count) for name, count in counts.items()}


def describe(
    name: str, data_dir: Path, catalogue: Path | None = None, cache_dir: Path | None = None
) -> dict[str, Any]:
    """Return all that is known about a dataset, as JSON values: description, what is on disk, key counts.

    Args:
        name: the name in the catalogue, or of the user's own dataset on disk.
        data_dir: the data folder.
        catalogue: the folder of the descriptions; None for those bundled with tfkey.
        cache_dir: see :class:`pipelines.data_folders.DataFolders`.

    Returns:
        The fields of :class:`pipelines.catalogue.specs.DatasetSpec`; ``size`` (bytes of audio to fetch, or
        None); ``on_disk`` (:class:`OnDisk`); ``keys`` (counts by long name, empty if unknown) and
        ``keys_of``, what was counted.
    """
    listed = find_spec(name, catalogue)
    spec = listed or own_spec(name)
    disk = find_on_disk(name, data_dir, cache_dir)
    keys, counted = _known_keys(spec, DataFolders(data_dir, name, cache_dir), disk)
    document = spec.model_dump(mode="json")
    return {
        **document,
        "role": spec.role if listed else "your own",
        "size": spec.audio_size() if spec.subsets else None,
        "on_disk": asdict(disk),
        "keys": {key.long: count for key, count in keys.items()},
        "keys_of": counted,
    }


def _known_keys(spec: DatasetSpec, folders: DataFolders, disk: OnDisk) -> tuple[dict[Key, int], str]:
    """Return the keys from the list of labels, else from labels on disk, else from prepared data."""
    archives = folders.originals.glob("**/keys.zip")
    if isinstance(spec.labels, ListLabels):
        return key_histogram(label.key for label in select_tracks(spec)[0]), "subset default"
    if isinstance(spec.labels, VoteLabels):
        weights = spec.labels.weights
        voted, _ = read_votes(spec.labels.path, weights)
        return key_histogram(key_of(mixed(item.votes, weights)) for item in voted), "the most votes"
    if isinstance(spec.labels, ArchiveLabels):
        for path in archives:
            try:
                return key_histogram(label.key for label in select_tracks(spec, labels=path)[0]), path.name
            except DataError:
                continue
    for mode, prepared in disk.prepared.items():
        if prepared.state == "ready":
            return key_histogram(_repeat(prepared.tracks.values())), f"the {mode} on disk"
    return {}, ""


def _repeat(splits: Iterable[dict[str, int]]) -> Iterable[Key]:
    total: Counter[str] = Counter()
    for counts in splits:
        total.update(counts)
    return [Key.parse(name) for name in total.elements()]
