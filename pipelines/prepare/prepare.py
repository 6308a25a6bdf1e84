"""``prepare``: from originals to data that training reads, in each of the three modes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.catalogue.parts import FileAudio, RecordingAudio
from pipelines.catalogue.specs import DEMO, DatasetSpec, check_request
from pipelines.download import OnDownload
from pipelines.folder_lock import alone_in
from pipelines.originals.originals import original_tracks
from pipelines.originals.unpacking import is_archive
from pipelines.prepare.job import PrepareJob
from pipelines.prepared.manifest import check_replacement, write_prepared
from pipelines.prepared.parameters import selection_parameters
from pipelines.tracks import LeftOut
from pipelines.work import Progress, Result
from tfkey.config import Config
from tfkey.errors import DataError, UsageError
from tfkey.files import remove_partial
from tfkey.storage import is_remote, shown, storage_errors

if TYPE_CHECKING:
    from tfkey.cluster.connection import Cluster


@dataclass(frozen=True)
class Summary:
    """The outcome of a call of :func:`prepare`.

    Attributes:
        folder: the folder of the prepared dataset.
        intervals: the number of intervals in the manifest.
        tracks: the number of tracks in the manifest.
        fresh: the number of units done by this call; 0 if all had been done before.
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
    fetching: OnDownload | None = None,
    cluster: Cluster | None = None,
) -> Summary:
    """Prepare one dataset in ``config.mode``; work that an earlier call finished is not repeated.

    Args:
        config: the mode, the parameters, and the data folder.
        dataset: a name in the catalogue, or with ``source`` a name for the user's own data.
        source: the user's own data: audio as in :func:`pipelines.originals.own_data.read_source`; in images
            mode, PNGs in the layout ``[<split>/]<key>/<file>``, in a folder or an archive. For a catalogue
            dataset, a folder with its files or archives as published.
        workers: number of files processed in parallel.
        png: in spectrograms mode, also write every spectrogram as a PNG.
        replace: replace what was prepared with other settings.
        progress: called with the number of finished units of work and the total.
        fetching: called with the progress of downloads.
        cluster: the cluster whose workers decode and transform, except in images mode. They must see
            ``data_dir`` and the source under the same paths.

    Raises:
        UsageError: see :func:`pipelines.catalogue.specs.check_request`; or the source is elsewhere and must
            not be.
        DataError: nothing could be prepared, or the dataset exists with other settings and ``replace`` is
            not set.
        TfkeyError: a folder cannot be written, or an archive is damaged.
    """
    spec = check_request(config, dataset, source)
    _check_source(config, spec, source)
    job = PrepareJob(config, spec, source, workers, png, replace, progress, fetching, cluster)
    if config.mode == "images" and spec.name == DEMO and source is None:
        job = _publish_demo(job)
    return _prepare(job)


def _publish_demo(job: PrepareJob) -> PrepareJob:
    """Create the demo's archive of PNGs on this machine, from its spectrograms.

    Returns:
        The job, with the archive as its source.
    """
    # Refuse before minutes of work, not after.
    _check_replacement(job)
    spectrograms = job.config.model_copy(update={"mode": "spectrograms"})
    _prepare(dataclasses.replace(job, config=spectrograms, png=False))
    from pipelines.publishing.demo_archive import demo_archive

    return dataclasses.replace(job, source=demo_archive(job.config, job.progress))


def _prepare(job: PrepareJob) -> Summary:
    with storage_errors(job.folder), alone_in(job.folder) as check_lock:
        _check_replacement(job)
        remove_partial(job.folder)
        result, fresh = _run_mode(job)
        if not result.rows:
            nothing = f"nothing could be prepared ({_reasons(result.left_out)})"
            raise DataError(f"{shown(job.source) if job.source else job.spec.name}: {nothing}")
        check_lock()
        write_prepared(
            job.folder,
            result.rows,
            result.left_out,
            description=_describe(job),
            parameters=job.parameters,
        )
    tracks = {(row.split, row.key, row.track) for row in result.rows}
    return Summary(job.folder, len(result.rows), len(tracks), fresh, result.left_out)


def _check_source(config: Config, spec: DatasetSpec, source: Path | None) -> None:
    """Refuse what is read only on this machine: pictures, archives, and files as published."""
    if source is None or not is_remote(source):
        return
    what = "pictures" if config.mode == "images" else "an archive" if is_archive(source) else ""
    if not what and isinstance(spec.audio, FileAudio | RecordingAudio):
        what = f"the published files of {spec.name}"
    if what:
        raise UsageError(
            f"{shown(source)}: {what} must be on this machine; copy them, or give a folder of audio or a "
            "CSV file",
            remedy="source",
        )


def _check_replacement(job: PrepareJob) -> None:
    if not job.replace:
        check_replacement(job.config, job.config.mode, job.spec.name)


def _reasons(left_out: Sequence[LeftOut]) -> str:
    """Return why tracks were left out: each reason once, with the first track that it applies to."""
    first: dict[str, str] = {}
    for item in left_out:
        first.setdefault(item.reason, item.source)
    text = "; ".join(f"{source}: {reason}" for reason, source in list(first.items())[:3])
    return text + (f"; {len(left_out)} files in all" if len(left_out) > len(first) else "")


def _run_mode(job: PrepareJob) -> tuple[Result, int]:
    # Each mode imports only what it needs: copying pictures does not need TensorFlow.
    if job.config.mode == "images":
        from pipelines.prepare.images import prepare_images

        return prepare_images(job)
    tracks, left_out = original_tracks(job.acquirer, workers=job.workers, progress=job.progress)
    if job.config.mode == "audio":
        from pipelines.prepare.audio import prepare_audio

        result, fresh = prepare_audio(job, tracks)
    else:
        from pipelines.prepare.spectrograms import prepare_spectrograms

        result, fresh = prepare_spectrograms(job, tracks)
    return Result(result.rows, [*left_out, *result.left_out]), fresh


def _describe(job: PrepareJob) -> dict[str, Any]:
    return {
        "selection": selection_parameters(job.config, job.spec.name),
        "dataset": job.spec.name,
        "title": job.spec.title,
        "mode": job.config.mode,
        "licence": job.spec.licence,
        "citation": job.spec.citation,
    }
