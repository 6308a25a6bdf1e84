"""The originals of a dataset: found or made, and listed as tracks with a split each."""

from __future__ import annotations

import csv
from pathlib import Path

from pipelines.tracks import LeftOut, Track, assign_splits, scan_key_folders
from pipelines.work import Progress
from tfkey.audio import find_audio
from tfkey.config import Config
from tfkey.keys import Key


def original_tracks(
    dataset: str, config: Config, source: Path | None, *, workers: int, progress: Progress | None = None
) -> tuple[list[Track], list[LeftOut]]:
    """The tracks of a dataset, their audio on disk.

    Args:
        dataset: a name in the catalogue, or the user's own with a ``source``.
        config: where data lies, and how to split what has no split.
        source: the user's folder in the layout ``[<split>/]<key>/<file>``; it is only read.
        workers: how many files to make at a time.
        progress: told how far the making is.

    Returns:
        Tracks, all with a split, in a stable order; and what was left out.
    """
    if source is None:
        return demo_tracks(config.data_dir / "originals" / dataset, workers=workers, progress=progress), []
    tracks, left_out = scan_key_folders(source, find_audio)
    return assign_splits(tracks, config.split), left_out


def demo_tracks(folder: Path, *, workers: int, progress: Progress | None = None) -> list[Track]:
    """Render the demo dataset (once) and list it. A piece of music stands in one split only."""
    from pipelines.demo import render_demo

    listing = render_demo(folder, workers=workers, progress=progress)
    with listing.open(encoding="utf-8", newline="") as stream:
        return [
            Track(
                row["track"],
                folder / row["path"],
                Key.parse(row["key"]),
                row["split"],
                row["path"],
                row["piece"],
            )
            for row in csv.DictReader(stream)
        ]
