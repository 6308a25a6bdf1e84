"""The parameters of a preparation, in one object."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.catalogue.specs import DatasetSpec
from pipelines.data_folders import DataFolders
from pipelines.download import OnDownload
from pipelines.originals.acquire import Acquirer
from pipelines.prepared.manifest import Row
from pipelines.prepared.parameters import preparation_parameters
from pipelines.tracks import Track
from pipelines.work import Journal, Progress, Result, Unit, iter_in_order, run_units
from tfkey.config import Config
from tfkey.votes import write_vote

if TYPE_CHECKING:
    from tfkey.cluster.connection import Cluster

T = TypeVar("T")


@dataclass(frozen=True)
class PrepareJob:
    """One dataset, to be prepared in one mode.

    Attributes:
        config: the mode, the parameters, and the data folder.
        spec: the dataset.
        source: the user's own data; None to fetch or generate it.
        workers: number of files processed in parallel.
        png: in spectrograms mode, also write every spectrogram as a PNG.
        replace: replace what was prepared with other settings.
        progress: called with the number of finished units of work and the total.
        fetching: called with the progress of downloads.
        cluster: the cluster whose workers do the units; None to do them here.
        scratch: a folder in place of the dataset's.
    """

    config: Config
    spec: DatasetSpec
    source: Path | None = None
    workers: int = 2
    png: bool = False
    replace: bool = False
    progress: Progress | None = None
    fetching: OnDownload | None = None
    cluster: Cluster | None = None
    scratch: Path | None = None

    @property
    def folders(self) -> DataFolders:
        """The folders of the dataset."""
        return DataFolders.of(self.config, self.spec.name)

    @property
    def folder(self) -> Path:
        """The folder of the prepared dataset."""
        return self.scratch or self.folders.prepared(self.config.mode)

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that the prepared data depends on."""
        return preparation_parameters(self.config, self.config.mode)

    @property
    def acquirer(self) -> Acquirer:
        """The acquirer of the originals."""
        return Acquirer(self.spec, self.config, self.source, self.fetching)

    def row(self, track: Track, part: int, path: str, digest: str, source: str | None = None) -> Row:
        """Return the manifest's row for an interval.

        Args:
            track: the interval's track, with its split.
            part: the interval's number within the track.
            path: the interval's file, relative to :attr:`folder`.
            digest: see :class:`pipelines.prepared.manifest.Row`.
            source: the interval's original; None for that of the track.
        """
        seconds = self.config.intervals.seconds
        return Row(
            track.name, part, path, track.key.long, str(track.split), seconds, source or track.source, digest,
            "" if track.vote is None else write_vote(track.vote),
        )  # fmt: skip

    def run(
        self, units: Sequence[Unit[T]], work: Callable[[T], Result], at_once: int | None = None
    ) -> tuple[Result, int]:
        """Do the units that are not done yet, in threads; see :func:`pipelines.work.run_units`.

        At most two units per thread are running or waiting: memory is bounded.

        Args:
            units: all units of the job.
            work: does one unit.
            at_once: number of units processed in parallel; None for ``workers``.
        """
        return self.run_by(units, lambda payloads: iter_in_order(payloads, work, at_once or self.workers))

    def run_by(
        self, units: Sequence[Unit[T]], do: Callable[[list[T]], Generator[Result, None, None]]
    ) -> tuple[Result, int]:
        """Do the units that are not done yet by ``do``; see :func:`pipelines.work.run_units`."""
        return run_units(units, do, Journal(self.folder), progress=self.progress)
