"""The files beside prepared data: ``manifest.csv``, ``dataset.json`` and ``left_out.csv``."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipelines.catalogue.specs import dataset_names
from pipelines.data_folders import DataFolders, cache_folder
from pipelines.prepared.copies import Copies, copies_in
from pipelines.prepared.folder_files import file_states, read_text
from pipelines.prepared.parameters import (
    check_parameters,
    preparation_parameters,
    selection_parameters,
    with_later_settings,
)
from pipelines.tracks import LeftOut
from tfkey._version import __version__
from tfkey.config import Config, validated
from tfkey.errors import DataError, KeyParseError
from tfkey.files import csv_lines, write_text
from tfkey.keys import Key
from tfkey.settings import SPLITS
from tfkey.storage import is_remote
from tfkey.votes import parse_vote


@dataclass(frozen=True)
class Row:
    """One interval of a prepared dataset.

    Attributes:
        track: the name of its track.
        part: its number within the track, from 0.
        path: the file that contains it, relative to the dataset's folder, ``/`` as separator.
        key: the long name of its key; of the most probable one if there is a vote.
        split: ``train``, ``validation`` or ``test``.
        seconds: its length.
        source: the original, as in :class:`pipelines.tracks.Track`.
        digest: SHA-256 of the file (audio, images) or of the float16 spectrogram (spectrograms).
        vote: the soft label as :func:`tfkey.votes.write_vote` writes it; empty if the key is known.
    """

    track: str
    part: int
    path: str
    key: str
    split: str
    seconds: float
    source: str
    digest: str
    vote: str = ""

    @property
    def picture(self) -> str:
        """The path of its PNG in archives and below ``png/``."""
        return f"{self.split}/{Key.parse(self.key).folder}/{self.track}-{self.part:03d}.png"


_COLUMNS = [item.name for item in fields(Row)]


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared dataset on disk, opened and checked by :func:`open_prepared`.

    Attributes:
        name: the name of the dataset.
        mode: ``audio``, ``spectrograms`` or ``images``.
        folder: the folder of the dataset.
        rows: its intervals, in the manifest's order.
        parameters: the parameters of its preparation: ``features`` (not in audio mode) and ``intervals``.
        copies: where copies of its files are, if the folder is elsewhere; else None.
    """

    name: str
    mode: str
    folder: Path
    rows: tuple[Row, ...]
    parameters: dict[str, Any]
    copies: Copies | None = field(default=None, compare=False, repr=False)

    def address(self, name: str) -> str:
        """Return the path or URL of one of its files, named by :attr:`Row.path`."""
        return f"{self.folder}/{name}" if self.copies else str(self.folder / name)

    def local(self, name: str) -> Path:
        """Return one of its files on this machine: itself, or a copy (see :meth:`Copies.open`)."""
        return self.copies.open(self.address(name)) if self.copies else self.folder / name

    def split(self, name: str) -> tuple[Row, ...]:
        """Return the rows of one split."""
        return tuple(row for row in self.rows if row.split == name)


def write_prepared(
    folder: Path,
    rows: Sequence[Row],
    left_out: Sequence[LeftOut],
    *,
    description: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    """Write the three files; ``dataset.json`` last, because its presence means that the data is complete.

    A file that would not change is not written.
    """
    reasons = [["source", "reason"], *([item.source, item.reason] for item in left_out)]
    _write_changed(folder / "left_out.csv", csv_lines(reasons))
    columns = _COLUMNS if any(row.vote for row in rows) else _COLUMNS[:-1]
    lines = [[getattr(row, name) for name in columns] for row in rows]
    _write_changed(folder / "manifest.csv", csv_lines([columns, *lines]))
    tracks = {(row.split, row.key, row.track) for row in rows}
    shards = sorted({row.path for row in rows if "tfrecord" in row.path})
    document = {
        **description,
        "tfkey_version": __version__,
        "parameters": parameters,
        "intervals": {split: sum(row.split == split for row in rows) for split in SPLITS},
        "tracks": {split: _key_counts(key for at, key, _ in tracks if at == split) for split in SPLITS},
        "files": {name: state.size for name, state in file_states(folder, shards).items()},
    }
    _write_changed(folder / "dataset.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _write_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def read_manifest(path: Path) -> list[Row]:
    """Read ``manifest.csv``.

    Raises:
        DataError: the file is missing, or a line is invalid (names the line).
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read; prepare the dataset again") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    # Only a dataset with votes has the last column.
    if set(reader.fieldnames or ()) not in (set(_COLUMNS), set(_COLUMNS[:-1])):
        wanted = ", ".join(_COLUMNS[:-1])
        raise DataError(f"{path}: the first line must name the columns {wanted}; prepare the dataset again")
    return [_parse_row(path, reader.line_num, values) for values in reader]


def _parse_row(path: Path, line: int, values: dict[str, str]) -> Row:
    try:
        Key.parse(values["key"])
        if values["split"] not in SPLITS:
            raise ValueError(f"split {values['split']!r} is not one of {', '.join(SPLITS)}")
        if Path(values["path"]).is_absolute() or ".." in Path(values["path"]).parts:
            raise ValueError(f"path {values['path']!r} leads out of the dataset's folder")
        return Row(
            values["track"], int(values["part"]), values["path"], values["key"], values["split"],
            float(values["seconds"]), values["source"], values["digest"],
            _checked_vote(values.get("vote") or ""),
        )  # fmt: skip
    except (DataError, KeyParseError, TypeError, ValueError) as error:
        raise DataError(f"{path}, line {line}: {error}; fix the line or prepare the dataset again") from error


def _checked_vote(text: str) -> str:
    if text:
        parse_vote(text)
    return text


def open_prepared(config: Config, mode: str, dataset: str) -> PreparedDataset:
    """Open prepared data and compare its parameters with those requested.

    Raises:
        DataError: the data is not prepared (or not completely), was prepared with other parameters (both are
            named), or a file is missing or has a different size than when it was written.
    """
    folder = DataFolders.of(config, dataset).prepared(mode)
    details = to_prepare(config, mode, dataset)
    document = read_description(config, mode, dataset)
    found = document["parameters"]
    check_parameters(folder, found, preparation_parameters(config, mode))
    # With other splits than in training, a network would be evaluated on its training data.
    check_parameters(folder, document.get("selection", {}), selection_parameters(config, dataset))
    rows = tuple(read_manifest(folder / "manifest.csv"))
    counts = document.get("intervals", {})
    for split in SPLITS:
        found_rows = sum(row.split == split for row in rows)
        if found_rows != counts.get(split, found_rows):
            raise DataError(
                f"{folder / 'manifest.csv'}: has {found_rows} rows of the {split} split, but dataset.json "
                f"says {counts[split]}; restore the manifest, or prepare {dataset} again",
                remedy="prepare",
                details=details,
            )
    names = list(dict.fromkeys(row.path for row in rows))
    states = file_states(folder, names)
    for name in names:
        path, size = folder / name, states[name].size if name in states else 0
        expected = document.get("files", {}).get(name, size)
        if size == 0 or size != expected:
            state = f"has {size} bytes instead of {expected}" if size else "is missing or empty"
            raise DataError(
                f"{path}: {state}; delete it and prepare {dataset} again", remedy="prepare", details=details
            )
    copies = None
    if is_remote(folder):
        copies = copies_in(cache_folder(config.cache_dir) / "prepared", config.cache_gb * 1e9)
        copies.know({f"{folder}/{name}": state for name, state in states.items()})
    return PreparedDataset(dataset, mode, folder, rows, found, copies)


def to_prepare(config: Config, mode: str, dataset: str) -> dict[str, str]:
    """Return the arguments that prepare a dataset, for errors; the user's own data needs a source, too."""
    details = {"mode": mode, "dataset": dataset}
    if dataset not in dataset_names(config.catalogue):
        details["source"] = "YOUR_DATA"
    return details


def as_prepared(config: Config, mode: str, dataset: str) -> Config:
    """Return a configuration with the features, intervals and selection of prepared data.

    Raises:
        DataError: the data is not prepared, or its ``dataset.json`` is damaged.
        ConfigError: ``dataset.json`` contains invalid parameters.
    """
    document = read_description(config, mode, dataset)
    values = config.model_dump(mode="json")
    found = {**with_later_settings(document["parameters"]), **document.get("selection", {})}
    for name, value in found.items():
        section, _, setting = name.partition(".")
        if value != "default" or section != "subsets":
            values.get(section, {})[setting] = value
    return validated(values, str(DataFolders.of(config, dataset).prepared(mode) / "dataset.json"))


def read_description(config: Config, mode: str, dataset: str) -> dict[str, Any]:
    """Return the ``dataset.json`` of prepared data.

    Raises:
        DataError: the data is not prepared, or the file is damaged.
    """
    path = DataFolders.of(config, dataset).prepared(mode) / "dataset.json"
    details = to_prepare(config, mode, dataset)
    try:
        document = json.loads(read_text(path))
        if not isinstance(document["parameters"], dict):
            raise TypeError("parameters are not a mapping")
    except OSError as error:
        raise DataError(
            f"{path.parent}: dataset {dataset!r} is not prepared in mode {mode}; prepare it with this "
            "configuration",
            remedy="prepare",
            details=details,
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: is damaged; prepare {dataset} again", remedy="prepare", details=details
        ) from error
    return document


def check_replacement(config: Config, mode: str, dataset: str) -> None:
    """Refuse to overwrite a complete dataset that was prepared with other settings.

    Raises:
        DataError: there is such a dataset; names the differences.
    """
    try:
        document = read_description(config, mode, dataset)
    except DataError:
        # There is no dataset, or none that can be opened.
        return
    found = {**document["parameters"], **document.get("selection", {})}
    wanted = {**preparation_parameters(config, mode), **selection_parameters(config, dataset)}
    check_parameters(DataFolders.of(config, dataset).prepared(mode), found, wanted, replaceable=True)


def _key_counts(keys: Iterable[str]) -> dict[str, int]:
    counts = Counter(keys)
    return {name: counts[name] for name in sorted(counts, key=lambda name: Key.parse(name).index)}
