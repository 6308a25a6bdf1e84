"""Naming the keys of many files on the machines of a Dask cluster."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tfkey.cluster.connection import Cluster
from tfkey.cluster.engine import on_cluster
from tfkey.errors import TfkeyError
from tfkey.inference.many_files import Judge, Judging, Model, Outcome, crash_reason, make_judge
from tfkey.processes import Crash
from tfkey.storage import NO_CREDENTIALS, is_remote, shown


@dataclass(frozen=True)
class _File:
    """A file to analyse.

    Attributes:
        path: as it was named, for the outcome.
        place: the same for workers, whose working directory is another.
        exists: whether the caller sees it.
    """

    path: Path
    place: Path
    exists: bool


def judge_on_cluster(
    paths: Iterable[Path],
    judging: Judging,
    cluster: Cluster,
    on_ready: Callable[[str], None] | None = None,
) -> Iterator[Outcome]:
    """Analyse files in the workers of a cluster; outcomes are those of a local run, in the same order.

    Workers open the files themselves, by the same absolute paths or URLs, and a network that is in a folder,
    too.

    Args:
        paths: the files, of which there may be any number; they are taken as needed.
        judging: what to do with each file; without ``drawing``.
        cluster: where.
        on_ready: called with the description of the weights, before the first outcome.

    Raises:
        TfkeyError: see :func:`tfkey.cluster.engine.on_cluster`; the network cannot be loaded; or a worker
            does not see a file that the caller sees, or has no credentials for one elsewhere.
    """
    # Outcomes contain it. Imported while one is unpickled, it would turn Ctrl-C into another error.
    import tfkey.inference.estimate

    if judging.tagging is not None:
        import tfkey.tags.key_tags  # noqa: F401

    if judging.drawing is not None:
        raise ValueError("pictures are not drawn on a cluster")
    if isinstance(judging.model, Model) and judging.model.kind != "pretrained":
        model = dataclasses.replace(judging.model, path=_everywhere(judging.model.path))
        judging = dataclasses.replace(judging, model=model)
    for result in on_cluster(cluster, partial(_make, judging), map(_file, paths), on_ready):
        if isinstance(result, Crash):
            yield Outcome(result.task.path, error=crash_reason(result.reason))
        else:
            yield result


def _everywhere(path: Path) -> Path:
    return path if is_remote(path) else Path(os.path.abspath(path))


def _file(path: Path) -> _File:
    # Storage elsewhere is asked by the workers only.
    return _File(path, _everywhere(path), not is_remote(path) and os.path.exists(path))


def _make(judging: Judging) -> _ClusterJudge:
    if isinstance(judging.model, Model) and judging.model.kind != "pretrained":
        folder = judging.model.path
        if not is_remote(folder) and not folder.exists():
            raise TfkeyError(
                f"{folder}: is not there for this worker; mount the same storage on every machine"
            )
    return _ClusterJudge(make_judge(judging))


class _ClusterJudge:
    """A judge of files by their place for workers."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.description = judge.description

    def __call__(self, file: _File) -> Outcome:
        if file.exists and not file.place.exists():
            raise TfkeyError(
                f"{shown(file.place)}: is not there for this worker; mount the same storage on every machine"
            )
        outcome = self._judge(file.place)
        if outcome.error is not None and outcome.error.startswith(NO_CREDENTIALS) and is_remote(file.place):
            # That is no fault of the file, and other files would fail in the same way.
            raise TfkeyError(f"{shown(file.place)}: {outcome.error}")
        return dataclasses.replace(outcome, path=file.path)
