"""Units that workers import, of which some crash."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence

from pipelines.prepare.job import PrepareJob
from pipelines.tracks import LeftOut, Track
from pipelines.work import Result

Payload = tuple[str, list[Track]]


class Crashing:
    """Units of several tracks; a track called ``crash`` kills the process, one called ``odd`` is left out."""

    @staticmethod
    def make(job: PrepareJob) -> Callable[[PrepareJob, Payload], Result]:
        return do

    @staticmethod
    def tracks(payload: Payload) -> Sequence[Track]:
        return payload[1]

    @staticmethod
    def of(payload: Payload, tracks: Sequence[Track]) -> Payload:
        return payload[0], list(tracks)


def do(job: PrepareJob, payload: Payload) -> Result:
    name, tracks = payload
    if any(track.name.startswith("crash") for track in tracks):
        os.kill(os.getpid(), signal.SIGSEGV)
    job.folder.mkdir()
    (job.folder / name).write_text(" ".join(track.name for track in tracks))
    whole = [track for track in tracks if track.name != "odd"]
    rows = [job.row(track, 0, name, "digest") for track in whole]
    return Result(rows, [LeftOut(track.source, "odd") for track in tracks if track.name == "odd"])
