"""The layout of the data folder.

| below ``data_dir`` | content |
|---|---|
| ``originals/<dataset>/`` | everything fetched or generated; never changed |
| ``originals/<dataset>/audio/`` | audio files, fetched one by one |
| ``originals/<dataset>/archives/`` | archives as fetched |
| ``originals/<dataset>/unpacked/<archive>/`` | the content of an archive |
| ``originals/<dataset>/published/`` | archives made on this machine |
| ``<mode>/<dataset>/`` | the dataset, prepared in a mode |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataFolders:
    """The folders of one dataset. None of them needs to exist.

    Attributes:
        data_dir: the data folder.
        dataset: the name of the dataset.
    """

    data_dir: Path
    dataset: str

    @property
    def originals(self) -> Path:
        """Everything that was fetched or generated."""
        return self.data_dir / "originals" / self.dataset

    @property
    def audio(self) -> Path:
        """Audio files, fetched one by one."""
        return self.originals / "audio"

    @property
    def archives(self) -> Path:
        """Archives as fetched."""
        return self.originals / "archives"

    @property
    def unpacked(self) -> Path:
        """A folder for each archive, named like the archive."""
        return self.originals / "unpacked"

    @property
    def published(self) -> Path:
        """Archives made on this machine."""
        return self.originals / "published"

    def prepared(self, mode: str) -> Path:
        """Return the folder of the dataset, prepared in a mode."""
        return self.data_dir / mode / self.dataset


def prepared_folders(data_dir: Path, mode: str) -> Iterator[Path]:
    """Return the entries where datasets are prepared in a mode: one folder each, named like the dataset."""
    return (data_dir / mode).glob("*")
