"""Units of ``prepare --mode audio`` that workers note before they begin them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipelines.prepare.audio import OneTrack
from pipelines.prepare.job import PrepareJob
from pipelines.tracks import Track
from pipelines.work import Result

NOTES = "TFKEY_BEGUN_UNITS"
"""The variable that names the file of the notes."""


class Counted(OneTrack):
    """The units of the mode; each adds a line to the notes."""

    @staticmethod
    def make(job: PrepareJob) -> Callable[[PrepareJob, Track], Result]:
        """Return the function that cuts a track."""
        return partial(_noted, OneTrack.make(job))


def _noted(cut: Callable[[PrepareJob, Track], Result], job: PrepareJob, track: Track) -> Result:
    with Path(os.environ[NOTES]).open("a") as stream:
        stream.write(f"{track.name}\n")
    return cut(job, track)
