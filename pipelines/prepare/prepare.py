"""``prepare``: from originals to data that training reads, in each of the three modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.catalogue.specs import DEMO, DatasetSpec, check_request
from pipelines.data_folders import DataFolders
from pipelines.folder_lock import alone_in
from pipelines.originals.acquire import Acquirer
from pipelines.originals.acquire import Progress as FetchProgress
from pipelines.originals.originals import original_tracks
from pipelines.prepare.audio import prepare_audio
from pipelines.prepare.images import Listing, prepare_images
from pipelines.prepare.spectrograms import prepare_spectrograms
from pipelines.prepared.manifest import (
    check_replacement,
    preparation_parameters,
    selection_parameters,
    write_prepared,
)
from pipelines.tracks import LeftOut
from pipelines.work import Progress, Result
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.files import remove_partial


@dataclass(frozen=True)
class Summary:
    """What a call of :func:`prepare` came to.

    Attributes:
        folder: where the prepared dataset lies.
        intervals: in the manifest.
        tracks: in the manifest.
        fresh: units of work done in this call; 0 if all had been done before.
        left_out: what was not prepared, and why; also in ``left_out.csv``.
    """

    folder: Path
    intervals: int
    tracks: int
    fresh: int
    left_out: list[LeftOut]


def prepare(
    config: Config,
    dataset: str,
    *,
    source: Path | None = None,
    workers: int = 2,
    png: bool = False,
    replace: bool = False,
    progress: Progress | None = None,
    fetching: FetchProgress | None = None,
) -> Summary:
    """Prepare one dataset in ``config.mode``; work that an earlier call finished is not done again.

    Args:
        config: the mode, the parameters, and where data lies.
        dataset: a name in the catalogue, or one of the user's own with ``source``.
        source: the user's own data: audio as :func:`pipelines.originals.own_data.read_source` takes it; in
            images mode PNGs in the layout ``[<split>/]<key>/<file>``, in a folder or an archive. For a
            catalogue dataset, a folder with its files or archives as they are published.
        workers: files worked on at a time.
        png: in spectrograms mode, write every spectrogram as a PNG, too.
        replace: take the place of what was prepared with other settings.
        progress: told how many units of work are done.
        fetching: told how far downloads are.

    Raises:
        UsageError: see :func:`pipelines.catalogue.specs.check_request`.
        DataError: nothing at all could be prepared; the dataset is there, of other settings, and not to be
            replaced.
        TfkeyError: a folder that cannot be written, a damaged archive.
    """
    spec = check_request(config, dataset, source)
    folder = DataFolders(config.data_dir, dataset).prepared(config.mode)
    with alone_in(folder):
        if not replace:
            check_replacement(config, config.mode, dataset)
        remove_partial(folder)
        result, fresh = _run_mode(
            config,
            spec,
            source,
            folder,
            workers=workers,
            png=png,
            replace=replace,
            progress=progress,
            fetching=fetching,
        )
        if not result.rows:
            raise DataError(f"{source or dataset}: nothing could be prepared ({_reasons(result.left_out)})")
        write_prepared(
            folder,
            result.rows,
            result.left_out,
            description=_describe(spec, config),
            parameters=preparation_parameters(config, config.mode),
        )
    tracks = {(row.split, row.key, row.track) for row in result.rows}
    return Summary(folder, len(result.rows), len(tracks), fresh, result.left_out)


def _reasons(left_out: Sequence[LeftOut]) -> str:
    """Why tracks were left out: each reason once, with the first track that had it."""
    first: dict[str, str] = {}
    for item in left_out:
        first.setdefault(item.reason, item.source)
    told = "; ".join(f"{source}: {reason}" for reason, source in list(first.items())[:3])
    return told + (f"; {len(left_out)} files in all" if len(left_out) > len(first) else "")


def _run_mode(
    config: Config,
    spec: DatasetSpec,
    source: Path | None,
    folder: Path,
    *,
    workers: int,
    png: bool,
    replace: bool,
    progress: Progress | None,
    fetching: FetchProgress | None,
) -> tuple[Result, int]:
    if config.mode == "images":
        acquirer = Acquirer(spec, config, source, fetching)
        if source is not None:
            # A picture archive that goes by another name is taken as it is.
            source = acquirer.images() if acquirer.has_source(spec.images) else source
        elif spec.name != DEMO:
            source = acquirer.images()
        else:
            # The demo's archive is published on this machine, from its own prepared spectrograms.
            prepare(
                config.model_copy(update={"mode": "spectrograms"}),
                DEMO,
                workers=workers,
                replace=replace,
                progress=progress,
            )
            from pipelines.publishing.demo_archive import demo_archive

            source = demo_archive(config, progress)
        return prepare_images(
            config,
            source,
            folder,
            spec.split,
            workers=workers,
            listing=Listing.of(spec, config),
            progress=progress,
        )
    tracks, left_out = original_tracks(
        spec, config, source, workers=workers, progress=progress, fetching=fetching
    )
    if config.mode == "audio":
        result, fresh = prepare_audio(config, tracks, folder, workers=workers, progress=progress)
    else:
        result, fresh = prepare_spectrograms(
            config, tracks, folder, workers=workers, png=png, progress=progress
        )
    return Result(result.rows, [*left_out, *result.left_out]), fresh


def _describe(spec: DatasetSpec, config: Config) -> dict[str, Any]:
    return {
        "selection": selection_parameters(config, spec.name),
        "dataset": spec.name,
        "title": spec.title,
        "mode": config.mode,
        "licence": spec.licence,
        "citation": spec.citation,
    }
