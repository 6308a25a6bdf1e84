"""The originals of a dataset: found, fetched or generated, and listed as tracks with splits."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

from pipelines.catalogue.parts import (
    Archive,
    ArchiveAudio,
    FileAudio,
    RecordingAudio,
    SyntheticAudio,
    VoteLabels,
)
from pipelines.catalogue.specs import DEMO, DatasetSpec
from pipelines.originals.acquire import Acquirer
from pipelines.originals.own_data import read_source
from pipelines.originals.recordings import voted_music
from pipelines.originals.synthetic_music import synthetic_tracks
from pipelines.originals.unpacking import content_root, is_archive, unpack_once
from pipelines.splits import policy_splits
from pipelines.tracks import LeftOut, Track
from pipelines.work import Progress
from tfkey.config import Config
from tfkey.keys import Key
from tfkey.storage import is_remote


def original_tracks(
    acquirer: Acquirer, *, workers: int, progress: Progress | None = None
) -> tuple[list[Track], list[LeftOut]]:
    """Return the tracks of a dataset, with their audio on disk.

    Args:
        acquirer: the acquirer of the dataset. Its source may also be the user's own data (see
            :func:`pipelines.originals.own_data.read_source`), possibly in an archive, which is only read.
        workers: the number of files to generate in parallel.
        progress: called with the number of finished files and the total.

    Returns:
        The tracks, all with a split, in a stable order; and what was left out.
    """
    spec, config, source = acquirer.spec, acquirer.config, acquirer.source
    if spec.name == DEMO and source is None:
        return _demo_tracks(acquirer.folders.originals, workers=workers, progress=progress), []
    if isinstance(spec.audio, SyntheticAudio) and source is None:
        subset = config.subsets.get(spec.name, "default")
        spec.subset(subset)
        return synthetic_tracks(spec.audio, subset, acquirer.folders, workers=workers, progress=progress), []
    if isinstance(spec.audio, RecordingAudio):
        return _voted_tracks(acquirer, progress)
    if source is None or isinstance(spec.audio, FileAudio) or acquirer.has_source(_archive(spec, config)):
        return acquirer.tracks()
    if is_archive(source) and not is_remote(source) and source.is_file():
        source = content_root(unpack_once(source, acquirer.folders.unpacked))
    tracks, left_out = read_source(source, voters=config.voters.get(spec.name))
    return policy_splits(tracks, spec.split, config.split), left_out


def _archive(spec: DatasetSpec, config: Config) -> Archive | None:
    """Return the archive with the audio of the configured subset; None if there is no archive."""
    if not isinstance(spec.audio, ArchiveAudio):
        return None
    return spec.audio.archives[str(spec.subset(config.subsets.get(spec.name, "default")).archive)]


def _voted_tracks(acquirer: Acquirer, progress: Progress | None) -> tuple[list[Track], list[LeftOut]]:
    """Get the recordings of a dataset with votes, and say how much of it is missing."""
    found = voted_music(acquirer.spec, acquirer.folders, source=acquirer.source, progress=progress)
    labels = acquirer.spec.labels
    weights = acquirer.config.voters.get(acquirer.spec.name)
    if not weights and isinstance(labels, VoteLabels):
        weights = labels.weights
    for note in found.notes:
        logging.getLogger(__name__).warning("%s", note)
    return [item.track(weights or {}) for item in found.segments], found.left_out


def _demo_tracks(folder: Path, *, workers: int, progress: Progress | None = None) -> list[Track]:
    """Render the demo dataset (once) and list it. Each piece of music is in only one split."""
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
