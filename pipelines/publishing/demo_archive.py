"""The demo's archive of spectrogram PNGs, published on this machine."""

from __future__ import annotations

from pathlib import Path

from pipelines.catalogue.specs import DEMO
from pipelines.data_folders import DataFolders
from pipelines.download import Item
from pipelines.folder_lock import alone_in
from pipelines.originals.acquire import fetch
from pipelines.prepared.manifest import open_prepared
from pipelines.publishing.packing import pack, read_checksum
from pipelines.work import Progress
from tfkey.config import Config
from tfkey.files import sha256


def demo_archive(config: Config, progress: Progress | None = None) -> Path:
    """Create the PNG archive of the prepared demo spectrograms, and fetch it like any other archive.

    Args:
        config: the configuration of a demo dataset that has been prepared in spectrograms mode.
        progress: called with the number of packed spectrograms and the total.
    """
    prepared = open_prepared(config, "spectrograms", DEMO)
    manifest = prepared.folder / "manifest.csv"
    folders = DataFolders.of(config, DEMO)
    archive = folders.published / f"{DEMO}-{sha256(manifest)[:12]}.tar.xz"
    # Two simultaneous calls would write into each other's archive.
    with alone_in(folders.published):
        checksum = read_checksum(archive) or pack(prepared, archive, progress)
    item = Item(archive.name, (archive.resolve().as_uri(),), f"sha256:{checksum}")
    return fetch(item, folders.archives)
