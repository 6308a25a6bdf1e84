"""The originals of a synthetic dataset: rendered on this machine, with tools from Debian packages.

MMA (Musical MIDI Accompaniment) and a second soundfont are fetched as packages and used without being
installed. Without them, accompaniments have tfkey's own styles, and they and tunes one soundfont.
"""

from __future__ import annotations

import csv
import logging
from pathlib import Path

from pipelines.catalogue.parts import SyntheticAudio
from pipelines.data_folders import DataFolders
from pipelines.demo.render import soundfont_path
from pipelines.originals.debian import check_apt, debian_files
from pipelines.synthetic.accompaniments.generator import Tools
from pipelines.synthetic.corpus import render_corpus
from pipelines.tracks import Track
from pipelines.work import Progress
from tfkey.errors import DataError
from tfkey.keys import Key

_MMA_PACKAGE = "mma"
_MMA_FOLDER = "usr/share/mma/"


def synthetic_tracks(
    audio: SyntheticAudio,
    subset: str,
    folders: DataFolders,
    *,
    workers: int,
    progress: Progress | None = None,
) -> list[Track]:
    """Render a synthetic dataset, as far as it is missing, and list it.

    Args:
        audio: what is rendered.
        subset: the subset, which says how many clips of each kind.
        folders: the folders of the dataset.
        workers: the number of processes.
        progress: called with the number of clips that are ready and of all clips.

    Raises:
        DataError: a soundfont is missing or damaged.
        TfkeyError: the folder cannot be written to, or a process was killed.
    """
    tools = fetch_tools(audio, folders.originals / "tools")
    listing = render_corpus(
        folders.originals, audio.clips[subset], audio.seed, tools, workers=workers, progress=progress
    )
    with listing.open(encoding="utf-8", newline="") as stream:
        return [
            Track(
                row["track"],
                listing.parent / row["path"],
                Key.parse(row["key"]),
                row["split"],
                row["path"],
                row["group"],
            )
            for row in csv.DictReader(stream)
        ]


def fetch_tools(audio: SyntheticAudio, folder: Path) -> Tools:
    """Fetch what accompaniments and tunes are made with; say what is missing.

    Args:
        audio: names the packages.
        folder: the packages' files are put below it.

    Raises:
        DataError: the soundfont that tfkey always uses is missing from its package.
    """
    soundfonts, mma = [soundfont_path()], None
    for package in audio.packages:
        wanted = [_MMA_FOLDER, "usr/bin/mma"] if package == _MMA_PACKAGE else ["usr/share/sounds/"]
        try:
            check_apt(f"{package}, for synthetic music")
            files = debian_files(package, wanted, folder).files
        except DataError as error:
            logging.getLogger(__name__).warning("%s; the clips are made without it", error)
            continue
        if package == _MMA_PACKAGE:
            mma = folder / package / _MMA_FOLDER
        soundfonts += sorted(path for path in files.values() if path.suffix.lower() == ".sf2")
    return Tools(tuple(soundfonts), mma)
