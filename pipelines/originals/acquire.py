"""Acquiring and verifying the originals of a catalogue dataset, from its mirrors or from the user.

Originals are never changed. For their location see :mod:`pipelines.data_folders`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlparse

from pipelines.catalogue.labels import TrackLabel, select_tracks
from pipelines.catalogue.parts import Archive, ArchiveAudio, ArchiveLabels, FileAudio, FolderLabels
from pipelines.catalogue.specs import DatasetSpec
from pipelines.data_folders import DataFolders
from pipelines.download import Item, OnDownload, download
from pipelines.originals.own_data import find_labelled, read_source
from pipelines.originals.unpacking import content_root, unpack_once
from pipelines.splits import policy_splits
from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track, unique_names
from tfkey.config import Config
from tfkey.errors import DataError, UsageError
from tfkey.storage import is_remote

T = TypeVar("T")

_ALL = slice(None)
_AT_ONCE = 8  # connections; the network is the bottleneck, not the processor


@dataclass(frozen=True)
class Acquirer:
    """Gets the parts of a dataset.

    Attributes:
        spec: the dataset.
        config: the configuration, with the data folder.
        source: the user's folder with the files under their published names (or one of these files, for a
            dataset of archives); they are verified and copied from there, without using the network. None to
            fetch them.
        progress: called with the progress of the downloads.
    """

    spec: DatasetSpec
    config: Config
    source: Path | None = None
    progress: OnDownload | None = None

    @property
    def folders(self) -> DataFolders:
        """The folders of the dataset."""
        return DataFolders.of(self.config, self.spec.name)

    def tracks(self) -> tuple[list[Track], list[LeftOut]]:
        """Fetch the audio and the labels of the configured subset.

        Returns:
            The available tracks, each with its split, and what was left out: labels that are not exactly one
            key, and files that could not be fetched.

        Raises:
            UsageError: the dataset has no audio to fetch, or the subset is unknown.
            DataError: an archive cannot be fetched.
        """
        subset = self.config.subsets.get(self.spec.name, "default")
        self.spec.subset(subset)
        left_out: list[LeftOut] = []
        if isinstance(self.spec.audio, FileAudio):
            labels, left_out = _by_choice(select_tracks(self.spec, subset))
            found, failures = self._files(self.spec.audio, labels)
            left_out += failures
        elif isinstance(self.spec.audio, ArchiveAudio):
            name = str(self.spec.subset(subset).archive)
            folder = self.unpacked(self.spec.audio.archives[name])
            if isinstance(self.spec.labels, FolderLabels):
                found, left_out = _by_choice(read_source(folder, "folders"))
            elif isinstance(self.spec.labels, ArchiveLabels):
                keys = self.archive(self.spec.labels.archive)
                labels, left_out = _by_choice(select_tracks(self.spec, subset, keys))
                found, lost = find_labelled(labels, folder)
                left_out = [*left_out, *lost]
            else:
                raise UsageError(
                    f"dataset {self.spec.name}: an archive of audio needs labels; correct its description"
                )
        else:
            raise UsageError(
                f"dataset {self.spec.name}: its audio cannot be fetched; give your own source",
                remedy="source",
            )
        if not found:
            # The first failure shows what is wrong; later files are not even requested from a dead server.
            telling = [item for item in left_out if not item.by_choice][:1] or left_out[:2]
            reasons = "; ".join(f"{item.source}: {item.reason}" for item in telling)
            raise DataError(f"dataset {self.spec.name}: none of its audio could be fetched ({reasons})")
        return policy_splits(found, self.spec.split, self.config.split), left_out

    def has_source(self, archive: Archive | None) -> bool:
        """Whether the user's source contains an archive under its published name."""
        if archive is None or self.source is None or is_remote(self.source):
            return False
        name = _name(archive.urls[0])
        return self.source.name == name if self.source.is_file() else (self.source / name).is_file()

    def images(self) -> Path:
        """Fetch the archive of pre-generated spectrograms; return the folder with its splits or keys.

        Raises:
            UsageError: the dataset has no such archive.
            DataError: the archive cannot be fetched.
        """
        if self.spec.images is None:
            raise UsageError(
                f"dataset {self.spec.name}: has no image archive; give one as the source", remedy="source"
            )
        return self.unpacked(self.spec.images)

    def archive(self, archive: Archive, mirrors: slice = _ALL) -> Path:
        """Fetch one archive. The user's own archive is used in place if it has no checksum to verify."""
        name = _name(archive.urls[0])
        own = self._own(name)
        if own is not None and own.is_file() and archive.checksum is None:
            return own
        item = Item(name, self._places(name, archive.urls[mirrors]), archive.checksum)
        return fetch(item, self.folders.archives, self.progress)

    def unpacked(self, archive: Archive) -> Path:
        """Fetch an archive and unpack it, once; return the folder with its splits, keys or files.

        If an archive without a checksum turns out to be damaged, it is deleted and the next mirror is tried.

        Raises:
            DataError: no mirror has it intact.
        """
        troubles = []
        for number in range(len(archive.urls)):
            path = self.archive(archive, slice(number, None))
            try:
                return content_root(unpack_once(path, self.folders.unpacked))
            except DataError as error:
                if self.source is not None or archive.checksum is not None:
                    raise
                path.unlink()
                troubles.append(str(error))
        raise DataError("; ".join(dict.fromkeys(troubles)))

    def _files(self, audio: FileAudio, labels: Sequence[TrackLabel]) -> tuple[list[Track], list[LeftOut]]:
        """Fetch the files; return their tracks, in the order of the labels, and the failures."""
        names = {label.id: _name(audio.track_urls(label.id)[0]) for label in labels}
        items = [
            Item(
                names[label.id],
                self._places(names[label.id], audio.track_urls(label.id)),
                f"md5:{label.md5}" if label.md5 else None,
            )
            for label in labels
        ]
        report = download(items, self.folders.audio, workers=_AT_ONCE, progress=self.progress)
        tracks = [
            Track(safe_name(label.id), path, label.key, None, printable(path.name), label.group)
            for label in labels
            if (path := report.paths.get(names[label.id]))
        ]
        return unique_names(tracks), report.failures

    def _own(self, name: str) -> Path | None:
        """Return the path of a file of this name in the user's source; None without a source."""
        if self.source is None:
            return None
        return self.source.with_name(name) if self.source.is_file() else self.source / name

    def _places(self, name: str, urls: Sequence[str]) -> tuple[str, ...]:
        """Return where to get a file: its mirrors, or, with a source, only the user's own copy."""
        own = self._own(name)
        return tuple(urls) if own is None else (own.resolve().as_uri(),)


def _name(url: str) -> str:
    """Return the published name of a file."""
    return Path(urlparse(url).path).name


def fetch(item: Item, folder: Path, progress: OnDownload | None = None) -> Path:
    """Fetch one file into a folder and verify it.

    Raises:
        DataError: no mirror has an intact copy.
    """
    report = download([item], folder, progress=progress)
    if report.failures:
        raise DataError(f"{report.failures[0].source}: {report.failures[0].reason}")
    return report.paths[item.name]


def _by_choice(selected: tuple[list[T], list[LeftOut]]) -> tuple[list[T], list[LeftOut]]:
    """Mark what was left out as left out by choice: its label or folder name is not exactly one key."""
    labels, left_out = selected
    return labels, [replace(item, by_choice=True) for item in left_out]
