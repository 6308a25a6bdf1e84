"""Acquiring the originals of a catalogue dataset: fetched from its mirrors, or taken from the user, verified.

They lie below ``<data_dir>/originals/<name>/`` and are never changed: per-track files in ``audio/``, archives
as they came in ``archives/``, what was in them in ``unpacked/<archive>/``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlparse

from pipelines.archive import unpack
from pipelines.catalogue import Archive, ArchiveAudio, ArchiveLabels, DatasetSpec, FileAudio, FolderLabels
from pipelines.download import DownloadProgress, Item, download
from pipelines.folds import policy_splits
from pipelines.labels import TrackLabel, select_tracks
from pipelines.sources import label_files, read_source
from pipelines.tracks import LeftOut, Track
from tfkey.config import Config
from tfkey.errors import DataError, UsageError

Progress = Callable[[DownloadProgress], None]

_AT_ONCE = 8  # connections; the network is waited for, not the processor


@dataclass(frozen=True)
class Acquirer:
    """Gets what a dataset consists of.

    Attributes:
        spec: the dataset.
        config: where data lies.
        source: a folder of the user's that holds the files under the names they are published with; they
            are verified and copied from there, and the network is left alone. None to fetch them.
        progress: told how far the fetching is.
    """

    spec: DatasetSpec
    config: Config
    source: Path | None = None
    progress: Progress | None = None

    @property
    def folder(self) -> Path:
        """Where the originals lie."""
        return self.config.data_dir / "originals" / self.spec.name

    def tracks(self) -> tuple[list[Track], list[LeftOut]]:
        """Fetch the audio and the labels of the configured subset.

        Returns:
            The tracks that are there, each with its split, and what was left out: labels that state no one
            key, files that could not be had.

        Raises:
            UsageError: the dataset has no audio to fetch, or no such subset.
            DataError: an archive cannot be had.
        """
        subset = self.config.subsets.get(self.spec.name, "default")
        self.spec.subset(subset)
        left_out: list[LeftOut] = []
        if isinstance(self.spec.audio, FileAudio):
            labels, left_out = _by_choice(select_tracks(self.spec, subset))
            folder, failures = self._files(self.spec.audio, labels)
            missing = {item.source.partition(".")[0] for item in failures}
            found, lost = label_files([label for label in labels if label.id not in missing], folder)
            left_out = [*left_out, *failures, *lost]
        elif isinstance(self.spec.audio, ArchiveAudio):
            name = str(self.spec.subset(subset).archive)
            folder = self.unpacked(self.archive(self.spec.audio.archives[name]))
            if isinstance(self.spec.labels, FolderLabels):
                found, left_out = read_source(folder, "folders")
            elif isinstance(self.spec.labels, ArchiveLabels):
                keys = self.archive(self.spec.labels.archive)
                labels, left_out = _by_choice(select_tracks(self.spec, subset, keys))
                found, lost = label_files(labels, folder)
                left_out = [*left_out, *lost]
            else:
                raise UsageError(
                    f"dataset {self.spec.name}: an archive of audio needs labels; mend its description"
                )
        else:
            raise UsageError(
                f"dataset {self.spec.name}: its audio cannot be fetched; give yours with --source"
            )
        if not found:
            reasons = "; ".join(f"{item.source}: {item.reason}" for item in left_out[-2:])
            raise DataError(f"dataset {self.spec.name}: none of its audio could be had ({reasons})")
        return policy_splits(found, self.spec.split, self.config.split), left_out

    def images(self) -> Path:
        """Fetch the archive of pre-generated spectrograms.

        Raises:
            UsageError: the dataset has none.
            DataError: it cannot be had.
        """
        if self.spec.images is None:
            raise UsageError(f"dataset {self.spec.name}: has no image archive; give one with --source")
        return self.archive(self.spec.images)

    def archive(self, archive: Archive) -> Path:
        """Fetch one archive."""
        name = Path(urlparse(archive.urls[0]).path).name
        item = Item(name, self._places(name, archive.urls), archive.checksum)
        return fetch(item, self.folder / "archives", self.progress)

    def unpacked(self, archive: Path) -> Path:
        """Unpack an archive, once."""
        folder = self.folder / "unpacked" / archive.name.partition(".")[0]
        if not folder.is_dir():
            unpack(archive, folder)
        return folder

    def _files(self, audio: FileAudio, labels: Sequence[TrackLabel]) -> tuple[Path, list[LeftOut]]:
        items = []
        for label in labels:
            urls = audio.track_urls(label.id)
            name = Path(urlparse(urls[0]).path).name
            items.append(Item(name, self._places(name, urls), f"md5:{label.md5}" if label.md5 else None))
        folder = self.folder / "audio"
        return folder, download(items, folder, workers=_AT_ONCE, progress=self.progress).failures

    def _places(self, name: str, urls: Sequence[str]) -> tuple[str, ...]:
        """Where to get a file: its mirrors, or with a source nothing but the user's own copy."""
        if self.source is None:
            return tuple(urls)
        own = self.source if self.source.is_file() else self.source / name
        return (own.resolve().as_uri(),)


def fetch(item: Item, folder: Path, progress: Progress | None = None) -> Path:
    """Have one file in a folder, verified.

    Raises:
        DataError: it cannot be had from any of its places.
    """
    report = download([item], folder, progress=progress)
    if report.failures:
        raise DataError(f"{report.failures[0].source}: {report.failures[0].reason}")
    return report.paths[item.name]


def _by_choice(
    selected: tuple[list[TrackLabel], list[LeftOut]],
) -> tuple[list[TrackLabel], list[LeftOut]]:
    labels, left_out = selected
    return labels, [replace(item, by_choice=True) for item in left_out]
