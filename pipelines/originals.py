"""The originals of a dataset: found, fetched or made, and listed as tracks with a split each."""

from __future__ import annotations

import csv
from pathlib import Path

from pipelines.acquire import Acquirer
from pipelines.acquire import Progress as FetchProgress
from pipelines.catalogue import DatasetSpec, FileAudio
from pipelines.folds import policy_splits
from pipelines.sources import read_source
from pipelines.tracks import LeftOut, Track
from pipelines.work import Progress
from tfkey.config import Config
from tfkey.keys import Key

DEMO = "demo"


def original_tracks(
    spec: DatasetSpec,
    config: Config,
    source: Path | None,
    *,
    workers: int,
    progress: Progress | None = None,
    fetching: FetchProgress | None = None,
) -> tuple[list[Track], list[LeftOut]]:
    """The tracks of a dataset, their audio on disk.

    Args:
        spec: the dataset.
        config: where data lies, which subset, and how to split what has no split.
        source: the user's data (see :func:`pipelines.sources.read_source`), which is only read; for a
            catalogue dataset of one file a track, a folder with these files. None to fetch or make them.
        workers: how many files to make at a time.
        progress: told how far the making is.
        fetching: told how far the fetching is.

    Returns:
        Tracks, all with a split, in a stable order; and what was left out.
    """
    if spec.name == DEMO and source is None:
        return _demo_tracks(config.data_dir / "originals" / DEMO, workers=workers, progress=progress), []
    if source is not None and not isinstance(spec.audio, FileAudio):
        tracks, left_out = read_source(source)
        return policy_splits(tracks, spec.split, config.split), left_out
    return Acquirer(spec, config, source, fetching).tracks()


def _demo_tracks(folder: Path, *, workers: int, progress: Progress | None = None) -> list[Track]:
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
