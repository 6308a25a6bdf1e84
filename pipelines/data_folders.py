"""The layout of the data folder.

| below ``data_dir`` | content |
|---|---|
| ``originals/<dataset>/`` | everything fetched or generated; never changed |
| ``originals/<dataset>/audio/`` | audio files, fetched one by one |
| ``originals/<dataset>/archives/`` | archives as fetched |
| ``originals/<dataset>/unpacked/<archive>/`` | the content of an archive |
| ``originals/<dataset>/published/`` | archives made on this machine |
| ``<mode>/<dataset>/`` | the dataset, prepared in a mode |

If ``data_dir`` is a URL, only prepared data is there. The originals are below the cache folder of this
machine: downloads that continue, packages and archives need files in which one can seek and append,
originals do not depend on where prepared data goes, and whoever trains from the URL never reads them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfkey.config import Config
from tfkey.storage import is_remote


@dataclass(frozen=True)
class DataFolders:
    """The folders of one dataset. None of them needs to exist.

    Attributes:
        data_dir: the data folder, or its URL.
        dataset: the name of the dataset.
        cache_dir: the folder of originals if ``data_dir`` is a URL; None for the user's cache folder.
    """

    data_dir: Path
    dataset: str
    cache_dir: Path | None = None

    @classmethod
    def of(cls, config: Config, dataset: str) -> DataFolders:
        """Return the folders of a dataset under a configuration."""
        return cls(config.data_dir, dataset, config.cache_dir)

    @property
    def originals(self) -> Path:
        """Everything that was fetched or generated; always on this machine."""
        top = cache_folder(self.cache_dir) if is_remote(self.data_dir) else self.data_dir
        return top / "originals" / self.dataset

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
    folder = data_dir / mode
    return folder.iterdir() if folder.is_dir() else iter(())


def cache_folder(cache_dir: Path | None = None) -> Path:
    """Return the folder on this machine for what belongs to data elsewhere.

    Args:
        cache_dir: the configured folder; None for the user's cache folder, which each system has in its own
            place.
    """
    if cache_dir is not None:
        return cache_dir
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "tfkey" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "tfkey"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "tfkey"
