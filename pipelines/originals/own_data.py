"""The user's own data, and fetched originals: audio files and their keys, listed as tracks.

There are three ways to state keys: folders named by key, a CSV file of path and key, and tags in the files.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.catalogue.label_files import track_id
from pipelines.catalogue.labels import TrackLabel
from pipelines.originals.source_files import SourceFiles, key_folders_elsewhere
from pipelines.originals.vote_tables import find_voters, read_vote_rows
from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track, scan_key_folders, unique_names
from tfkey.audio.finding import find_audio
from tfkey.errors import DataError, KeyParseError, TagError, UsageError
from tfkey.key_tables import Row, parse_key, read_rows
from tfkey.keys import Key, parse_folder_name
from tfkey.settings import SPLITS
from tfkey.storage import fetched, is_remote, kind_of, name_of, shown
from tfkey.tags.key_tags import TAGGED_EXTENSIONS, stated_keys

Labels = Literal["folders", "csv", "tags"]

_NAME_COLUMNS = ("path", "file", "track")
_KEY_COLUMNS = ("key", "reference")
_SPELLING = "write a key like 'Ab minor', 'F# major', 'Abm', '1A' or '6m'"


@dataclass
class _Scan:
    """The tracks found so far, and what was left out."""

    tracks: list[Track]
    left_out: list[LeftOut]

    def refuse(self, source: str, reason: str) -> None:
        self.left_out.append(LeftOut(source, reason))

    def finish(self, nothing: str) -> tuple[list[Track], list[LeftOut]]:
        """Give the tracks unique names; ``nothing`` is the error message if there are no tracks."""
        if not self.tracks:
            detail = f" ({self.left_out[0].source}: {self.left_out[0].reason})" if self.left_out else ""
            raise DataError(f"{nothing}{detail}")
        ordered = sorted(self.tracks, key=lambda track: track.source)
        return unique_names(ordered), self.left_out


def read_source(
    path: Path, labels: Labels | None = None, voters: Mapping[str, float] | None = None
) -> tuple[list[Track], list[LeftOut]]:
    """List the tracks of the user's own data without changing it.

    Args:
        path: one of three sources, here or elsewhere (without tags there). A folder in the layout
            ``[<split>/]<key>/<file>``. A CSV file (see :mod:`tfkey.key_tables`) with the columns path (or
            file) and key (or tonic and mode), and optionally split and group (or artist); paths are
            relative to its folder or else to the current one; tracks of one group or artist never end up in
            two splits. A CSV file of soft labels (see
            :func:`pipelines.originals.vote_tables.read_vote_rows`). A folder of tagged files, in
            ``[<split>/]`` or any other folders.
        labels: which of these the source is; None to choose: CSV for a file, key folders if any folder is
            named by a key, and tags otherwise.
        voters: the weight of each voter in a table of soft labels; None or empty if all count equally.

    Returns:
        The tracks, sorted by source, with unique names, and with a split if their folder or line states one;
        and what was left out, with the reason and the remedy.

    Raises:
        UsageError: ``labels`` does not fit the path.
        DataError: the source is missing or unreadable, no track has a key (says what was looked for), a
            group is in two splits, or there are weights of voters that have no votes.
    """
    if is_remote(path):
        return _read_elsewhere(path, voters or {})
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give a folder of audio or a CSV file of path,key")
    if labels is None:
        labels = "csv" if path.is_file() else "folders" if _has_key_folders(path) else "tags"
    if (labels == "csv") != path.is_file():
        what = "a file" if path.is_file() else "a folder"
        raise UsageError(
            f"{path}: is {what}; labels={labels} needs {'a CSV file' if labels == 'csv' else 'a folder'}"
        )
    if labels == "csv":
        return _read_csv(path, voters or {})
    if voters:
        raise _no_votes(path)
    if labels == "tags":
        return _read_tags(path)
    return scan_key_folders(path, find_audio)


def _read_elsewhere(path: Path, voters: Mapping[str, float]) -> tuple[list[Track], list[LeftOut]]:
    """List the user's own data in storage elsewhere: a folder of key folders, or a CSV file."""
    kind = kind_of(path)
    if kind is None:
        raise DataError(
            f"{shown(path)}: no such file or folder; give a folder of audio or a CSV file of path,key"
        )
    if kind == "file":
        return _read_csv(path, voters)
    if voters:
        raise _no_votes(path)
    tracks, left_out = key_folders_elsewhere(path, _are_keys)
    return _Scan(tracks, left_out).finish(f"{shown(path)}: contains no tracks")


def _has_key_folders(folder: Path) -> bool:
    parents = [folder, *(folder / split for split in SPLITS)]
    return _are_keys(
        item.name for parent in parents if parent.is_dir() for item in parent.iterdir() if item.is_dir()
    )


def _are_keys(folders: Iterable[str]) -> bool:
    """Whether the names of folders are keys."""
    names = list(folders)
    keys = [name for name in names if _is_key(name)]
    # Folders A to G are not keys if there are others such as H: the library is filed by artist.
    by_letter = all(len(name) == 1 for name in keys)
    return bool(keys) and not (by_letter and any(len(name) == 1 and name not in keys for name in names))


def _is_key(text: str) -> bool:
    try:
        parse_folder_name(text)
    except KeyParseError:
        return False
    return True


def find_labelled(labels: Sequence[TrackLabel], folder: Path) -> tuple[list[Track], list[LeftOut]]:
    """Find the audio of labelled tracks below a folder, by the numbers in the file names.

    Returns:
        The tracks in the order of the labels, without splits, grouped as in the labels; and the labels
        without a file.
    """
    files: dict[str, Path] = {}
    for path in find_audio(folder):
        files.setdefault(track_id(path.name), path)
    scan = _Scan([], [])
    for label in labels:
        found = files.get(label.id)
        if found is None:
            scan.refuse(label.id, "its audio is not on disk; fetch it, or leave it out")
            continue
        source = printable(found.relative_to(folder).as_posix())
        scan.tracks.append(Track(safe_name(label.id), found, label.key, None, source, label.group))
    return unique_names(scan.tracks), scan.left_out


def _read_csv(path: Path, weights: Mapping[str, float]) -> tuple[list[Track], list[LeftOut]]:
    rows: list[Row] = []
    with contextlib.suppress(DataError):  # as a table of keys, it is read below, with the right error
        rows = _rows(path, ())
    # Headers are read in lower case.
    weights = {name.strip().lower(): weight for name, weight in weights.items()}
    if find_voters(path, rows):
        tracks, left_out = read_vote_rows(path, rows, weights)
        _check_groups(path, tracks)
        return tracks, left_out
    if weights:
        raise _no_votes(path)
    scan = _Scan([], [])
    by_file: dict[Path, list[tuple[int, Track]]] = defaultdict(list)
    rows = _rows(path, _KEY_COLUMNS)
    files = SourceFiles(path, rows)
    for row in rows:
        try:
            track = _csv_track(path, row, files)
        except DataError as error:
            reason = str(error).removeprefix(f"{path}, line {row.line}: ")
            scan.refuse(printable(shown(row.name)) or f"line {row.line}", f"line {row.line}: {reason}")
        else:
            by_file[track.path.resolve()].append((row.line, track))
    for same in by_file.values():
        (first, track), *others = same
        if len({other.key for _, other in same}) == 1:
            scan.tracks.append(track)
            for line, other in others:
                scan.refuse(other.source, f"line {line}: the same file as in line {first}; delete one")
            continue
        # There is no way to know which of the keys is right.
        stated = ", ".join(f"{other.key} in line {line}" for line, other in same)
        scan.refuse(track.source, f"is given more than one key ({stated}); delete the wrong lines")
    _check_groups(path, scan.tracks)
    return scan.finish(f"{path}: no line has both a key and an existing audio file")


def _no_votes(path: Path) -> DataError:
    return DataError(f"{path}: has no votes, but voters says how to weight them; remove that setting")


def _rows(table: Path, keys: Sequence[str]) -> list[Row]:
    with fetched(table) as local:
        return read_rows(local, _NAME_COLUMNS, keys)


def _csv_track(table: Path, row: Row, files: SourceFiles) -> Track:
    """Return the track of one line; ``DataError`` with the reason if the line cannot be used."""
    split = row.cells.get("split", "").strip().lower() or None
    key = parse_key(table, row.line, row.key_text)
    if key is None:
        raise DataError(f"no key; {_SPELLING}")
    found = files.find(row)
    if found is None:
        raise DataError("no such file; give its path, absolute or relative to the folder of the CSV file")
    if split not in {None, *SPLITS}:
        raise DataError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    named = (row.cells.get("group") or row.cells.get("artist") or "").strip()
    group = f"group {named}" if named else _own_group(Path(shown(row.name)))
    name = safe_name(Path(name_of(found.path)).stem)
    return Track(name, found.path, key, split, printable(shown(row.name)), group, stamp=found.stamp)


def _own_group(path: Path) -> str:
    """Return a group for files of one folder that differ only in their suffix: they are one recording."""
    return f"file {path.with_suffix('')}"


def _check_groups(path: Path, tracks: Sequence[Track]) -> None:
    splits: dict[str, set[str]] = defaultdict(set)
    for track in tracks:
        if track.split:
            splits[track.group].add(track.split)
    for group, found in splits.items():
        if len(found) > 1:
            sides = " and ".join(sorted(found))
            raise DataError(
                f"{path}: {printable(group)} is in the splits {sides}; put all of it in one split"
            )


def _read_tags(folder: Path) -> tuple[list[Track], list[LeftOut]]:
    scan = _Scan([], [])

    def refuse_folder(error: OSError) -> None:
        scan.refuse(
            printable(str(error.filename)), f"cannot be opened ({error.strerror}); check its permissions"
        )

    for path in _walk(folder, refuse_folder):
        relative = path.relative_to(folder)
        source = printable(relative.as_posix())
        try:
            key = _read_key_tag(path)
        except DataError as error:
            scan.refuse(source, str(error))
            continue
        split = relative.parts[0] if relative.parts[0] in SPLITS else None
        scan.tracks.append(Track(safe_name(path.stem), path, key, split, source, _own_group(relative)))
    _check_groups(folder, scan.tracks)
    if not scan.tracks and not scan.left_out:
        raise DataError(f"{folder}: contains no audio files ({', '.join(sorted(TAGGED_EXTENSIONS))})")
    return scan.finish(
        f"{folder}: no keys found: no folder is named by a key (such as C-maj), and no audio file has a key "
        "in its tags (TKEY, INITIALKEY, KEY); give a CSV file of path,key",
    )


def _read_key_tag(path: Path) -> Key:
    """Return the key in the tags of an audio file (see :mod:`tfkey.tags.key_tags`).

    Raises:
        DataError: the tags are unreadable, or contain no key or several; the message is the reason for
            leaving out the file.
    """
    try:
        stated = stated_keys(path)
    except TagError as error:
        raise DataError(printable(str(error).removeprefix(f"{path}: "))) from error
    keys: dict[Key, str] = {}
    for name, text in stated:
        try:
            keys.setdefault(Key.parse(text), name)
        except KeyParseError:
            raise DataError(f"the tag {name} {printable(text)!r} is not a key; {_SPELLING}") from None
    if not keys:
        raise DataError("no key in its tags (TKEY, INITIALKEY, KEY); tag it, or list it in a CSV file")
    if len(keys) > 1:
        several = ", ".join(f"{name}: {key}" for key, name in keys.items())
        raise DataError(f"the tags contain more than one key ({several}); delete the wrong one")
    return next(iter(keys))


def _walk(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in TAGGED_EXTENSIONS and not name.startswith(".") and path.is_file():
                yield path
