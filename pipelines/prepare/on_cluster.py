"""Units of ``prepare`` in the workers of a Dask cluster.

Workers write into the dataset's folder, which all machines share. Each unit is made in a scratch folder in
it, and its files are then moved to their places: after a lost connection, two workers may do the same unit at
once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pipelines.prepare.job import PrepareJob
from pipelines.tracks import LeftOut, Track
from pipelines.work import Result
from tfkey.cluster.connection import Cluster
from tfkey.cluster.engine import on_cluster
from tfkey.errors import TfkeyError
from tfkey.files import PARTIAL_SUFFIX
from tfkey.processes import Crash
from tfkey.storage import is_remote

T = TypeVar("T")


class Kind(Protocol[T]):
    """What the units of a mode are; a class that workers can import."""

    @staticmethod
    def make(job: PrepareJob) -> Callable[[PrepareJob, T], Result]:
        """Load what all units need; return the function that does one for a job, in its folder."""

    @staticmethod
    def tracks(payload: T) -> Sequence[Track]:
        """Return the tracks of a unit."""

    @staticmethod
    def of(payload: T, tracks: Sequence[Track]) -> T:
        """Return the unit with other tracks in the place of its own, at least one."""


@dataclass(frozen=True)
class _Place:
    """The dataset's folder, and the file in it by which a worker knows that it sees the same folder."""

    folder: Path
    mark: str


def do_on_cluster(
    job: PrepareJob, cluster: Cluster, kind: type[Kind[T]], payloads: Iterable[T]
) -> Generator[Result, None, None]:
    """Do units in the workers of a cluster; results are those of a local run, in order.

    If a track crashes its decoder, it alone is left out: the tracks of its unit are then tried one by one.

    Raises:
        TfkeyError: see :func:`tfkey.cluster.engine.on_cluster`; or a worker does not see the audio or the
            dataset's folder.
    """
    data_dir = _everywhere(job.config.data_dir)
    config = job.config.model_copy(update={"data_dir": data_dir})
    portable = dataclasses.replace(job, config=config, progress=None, fetching=None, cluster=None)
    with _marked(portable.folder) as place:
        run: Callable[[Iterable[T]], Iterator[Result | Crash[T]]] = partial(
            on_cluster, cluster, partial(_make, portable, kind, place), most_at_once=1
        )
        for result in run(_portable(kind, payload) for payload in payloads):
            yield _without_crashes(kind, result.task, run) if isinstance(result, Crash) else result


def _without_crashes(
    kind: type[Kind[T]], payload: T, run: Callable[[Iterable[T]], Iterator[Result | Crash[T]]]
) -> Result:
    """Do a unit without those of its tracks that crash."""
    tracks = kind.tracks(payload)
    crashed: dict[str, LeftOut] = {}
    for track, found in zip(tracks, run([kind.of(payload, [track]) for track in tracks]), strict=True):
        if isinstance(found, Crash):
            crashed[track.name] = LeftOut(
                track.source, f"the decoder crashed ({found.reason}); encode the file again"
            )
    whole = [track for track in tracks if track.name not in crashed]
    if not whole:
        return Result(left_out=list(crashed.values()))
    (result,) = run([kind.of(payload, whole)])
    if isinstance(result, Crash):
        raise TfkeyError(
            f"{tracks[0].source} and those after it: crash together ({result.reason}); try again"
        )
    order = {track.source: place for place, track in enumerate(tracks)}
    left_out = sorted([*result.left_out, *crashed.values()], key=lambda item: order[item.source])
    return Result(result.rows, left_out)


def _portable(kind: type[Kind[T]], payload: T) -> T:
    """The unit with paths that mean the same to workers, whose working directory is another."""
    moved = [dataclasses.replace(track, path=_everywhere(track.path)) for track in kind.tracks(payload)]
    return kind.of(payload, moved)


def _everywhere(path: Path) -> Path:
    return path if is_remote(path) else Path(os.path.abspath(path))


@contextlib.contextmanager
def _marked(folder: Path) -> Iterator[_Place]:
    """Put a file into a folder by which workers know it."""
    place = _Place(folder, f".{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
    if is_remote(folder):
        yield place
        return
    mark = folder / place.mark
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise TfkeyError(
            f"{folder}: cannot be written ({error.strerror}); choose another data_dir"
        ) from error
    try:
        yield place
    finally:
        mark.unlink(missing_ok=True)


def _make(job: PrepareJob, kind: type[Kind[T]], place: _Place) -> Callable[[T], Result]:
    _check_place(place)
    return _Doer(job, kind, place, kind.make(job))


def _check_place(place: _Place) -> None:
    if not is_remote(place.folder) and not (place.folder / place.mark).exists():
        raise TfkeyError(
            f"data_dir: {place.folder} is not there for this worker, or another folder; mount the same "
            "storage on every machine"
        )


@dataclass(frozen=True)
class _Doer(Generic[T]):
    """Does one unit after the other in a worker."""

    job: PrepareJob
    kind: type[Kind[T]]
    place: _Place
    do: Callable[[PrepareJob, T], Result]

    def __call__(self, payload: T) -> Result:
        for track in self.kind.tracks(payload):
            # The caller has seen it.
            if not is_remote(track.path) and not track.path.exists():
                raise TfkeyError(
                    f"{track.path}: is not there for this worker; mount the same storage on every machine"
                )
        if is_remote(self.place.folder):
            return self.do(self.job, payload)
        scratch = self.place.folder / f".{uuid.uuid4().hex}{PARTIAL_SUFFIX}"
        try:
            result = self.do(dataclasses.replace(self.job, scratch=scratch), payload)
            # If the caller is gone, nothing may change any more.
            _check_place(self.place)
            for path in sorted(scratch.rglob("*")):
                target = self.place.folder / path.relative_to(scratch)
                if path.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                else:
                    path.replace(target)
        except OSError as error:
            raise TfkeyError(
                f"{self.place.folder}: cannot be written ({error.strerror}); check space and permissions"
            ) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return result
