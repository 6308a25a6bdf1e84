"""Formats are recognised by content; the tags of Mixed In Key stay as they were."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import mutagen
import pytest
import soundfile
from mutagen.id3 import TIT2, TKEY

from tests.media import chord, encode, packets
from tests.tfkey.tags.building import (
    FILES,
    MIXED_IN_KEY,
    RATE,
    written,
)
from tfkey.tags.key_tags import key_texts, stated_keys, write_key


@pytest.mark.parametrize(
    ("name", "own"), [("mixed_in_key.flac", b"INITIALKEY=Am"), ("mixed_in_key.m4a", b"initialkey")]
)
def test_key_of_mixed_in_key_is_left_alone(tmp_path: Path, name: str, own: bytes) -> None:
    path = Path(shutil.copy(FILES / name, tmp_path))
    assert [text for _, text in key_texts(path)] == ["8A"]
    assert write_key(path, "Am").state == "kept"
    assert written(path, overwrite=True) == "written"
    assert path.read_bytes().count(MIXED_IN_KEY.encode()) == 1
    assert own in path.read_bytes()
    assert [text for _, text in stated_keys(path)] == ["Am"]


def test_suffix_does_not_matter(tmp_path: Path) -> None:
    for number, name in enumerate(("mixed_in_key.flac", "mixed_in_key.m4a", "id3v1_only.mp3")):
        path = Path(shutil.copy(FILES / name, tmp_path / f"{number}.wav"))
        before = hashlib.sha256(packets(path)).hexdigest()
        assert write_key(path, "Gb minor", overwrite=True).state == "written"
        assert key_texts(path)[0][1] == "Gb minor"
        assert hashlib.sha256(packets(path)).hexdigest() == before


def test_tags_that_mutagen_wrote_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, chord(0.3, RATE, 1), RATE)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(TIT2(encoding=3, text=["夢"]))
    file.tags.add(TKEY(encoding=1, text=["Ab minor"]))
    file.save()
    assert key_texts(path) == [("TKEY", "Ab minor")]


def test_tta(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.tta", "tta", chord(0.5, RATE, 2), RATE)
    before = path.read_bytes()
    assert written(path, referee=True) == "written"
    assert path.read_bytes().endswith(before)
    assert mutagen.File(path).tags["TKEY"].text == ["Am"]
