"""The datasets as they are published, in small: files of the real layout, and a catalogue that leads to them.

Audio is MP3 under the real numbers, its MD5 in the lists; archives have the folders of the real ones.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import soundfile
import yaml
from PIL import Image

from tests.conftest import BINS, FRAMES, RATE, chord
from tests.faulty_server import FaultyServer
from tfkey.config_layers import config_root
from tfkey.keys import Key

# Tracks of the real lists; 297696 and 299976 are one file. The labels of the second line state no one key,
# or not with confidence.
GS_MTG = ("5061", "5881", "7217", "10359", "11077", "14344", "18975", "49721", "297696", "299976")
GS_MTG_LEFT_OUT = ("10981", "16484", "61578")
GS_KEY = ("10089", "61415", "74982", "101069")
# 22 tracks, the names as awkward as the titles of songs are.
NCS = {
    "A-min": ['Artist "X" - It\'s [NCS]', "Zoë, 東京 - Ночь", "line\nbreak", "a  b", "e1", "f1", "g1", "h1"],
    "C-maj": ["plain", "50% & more + ?#", "c2", "d2", "e2", "f2", "g2"],
    "Gb-maj": ["plain", "b3", "c3", "d3", "e3", "f3", "g3"],
}  # fmt: skip
GS_HOST = "datasets/giantsteps"


def mp3(key: str, seconds: float, seed: int) -> bytes:
    """A chord as an MP3."""
    stream = io.BytesIO()
    soundfile.write(stream, chord(key, seconds, seed=seed), RATE, format="MP3")
    return stream.getvalue()


def png(seed: int, mode: str = "RGB") -> tuple[bytes, np.ndarray]:
    """A picture of the small settings' size, grey stored as RGB: the file and its uint8 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (BINS, FRAMES), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, format="PNG")
    return stream.getvalue(), pixels


def tar_xz(members: Mapping[str, bytes]) -> bytes:
    """A ``tar.xz`` archive of files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz", preset=0) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A ``zip`` archive of files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as container:
        for name, content in members.items():
            container.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def listed(name: str) -> dict[str, dict[str, str]]:
    """The rows of the list that comes with tfkey, by track."""
    with (config_root() / "datasets" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return {row["track"]: row for row in csv.DictReader(stream)}


def published_files() -> dict[str, bytes]:
    """Path on the server -> content, for gs_mtg, gs_key and ncs."""
    files: dict[str, bytes] = {}
    gs_mtg, gs_key = listed("gs_mtg"), listed("gs_key")
    for seed, track in enumerate(GS_MTG):
        seed = GS_MTG.index("297696") if track == "299976" else seed
        key = Key.parse(gs_mtg[track]["key"]).folder
        files[f"{GS_HOST}/mtg_key_backup/{track}.LOFI.mp3"] = mp3(key, 2.3 + seed % 2, seed)
    for seed, track in enumerate(GS_KEY, 50):
        files[f"{GS_HOST}/backup/{track}.LOFI.mp3"] = mp3(Key.parse(gs_key[track]["key"]).folder, 2.3, seed)
    songs = {f"{key}/{song}.mp3": (key, song) for key, found in NCS.items() for song in found}
    audio = {path: mp3(key, 1.3 + seed % 2, seed) for seed, (path, (key, _)) in enumerate(songs.items(), 100)}
    # Archives made on a Mac hold this beside what was meant.
    files["ncs-dataset.zip"] = zipped({**audio, "__MACOSX/C-maj/._plain.mp3": b"Mac OS X"})
    for name, tracks in (("gs_mtg", gs_mtg), ("gs_key", gs_key)):
        pictures = {
            f"{name}/{Key.parse(tracks[track]['key']).folder}/akc-split-{track}.LOFI-{part:03d}.png": png(
                int(track) + part
            )[0]
            for track in (GS_MTG if name == "gs_mtg" else GS_KEY)
            for part in range(2)
        }
        files[f"{name}.tar.xz"] = tar_xz(pictures)
    files["ncs.tar.xz"] = tar_xz(
        {
            f"ncs/{'validation' if seed % 4 == 0 else 'train'}/{key}/akc-split-{song}-{part:03d}.png": png(
                1000 + 2 * seed + part
            )[0]
            for seed, (key, song) in enumerate(songs.values())
            for part in range(2)
        }
    )
    return files


def write_catalogue(folder: Path, files: Mapping[str, bytes], servers: Sequence[FaultyServer]) -> Path:
    """Descriptions as those that come with tfkey, but their addresses lead to servers, one mirror each."""
    folder.mkdir(parents=True)
    md5 = {Path(path).name: hashlib.md5(content).hexdigest() for path, content in files.items()}
    for name in ("gs_mtg", "gs_key", "ncs"):
        document = yaml.safe_load((config_root() / "datasets" / f"{name}.yaml").read_text(encoding="utf-8"))
        _lead_to(document, servers)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    for name, tracks in (("gs_mtg", GS_MTG + GS_MTG_LEFT_OUT), ("gs_key", GS_KEY)):
        rows = [
            {**row, "md5": md5.get(f"{track}.LOFI.mp3", row["md5"])}
            for track, row in listed(name).items()
            if track in tracks
        ]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _lead_to(document: object, servers: Sequence[FaultyServer]) -> None:
    """Replace every list of addresses below a document: the first one's path, on each of the servers."""
    if isinstance(document, dict):
        if "urls" in document:
            path = urlsplit(document["urls"][0]).path.lstrip("/")
            document["urls"] = [server.url() + path for server in servers]
        for value in document.values():
            _lead_to(value, servers)
