"""Key tags in ASF: all other attributes stay."""

from __future__ import annotations

from pathlib import Path

import mutagen
import pytest

from tests.media import chord, encode
from tests.tfkey.tags.building import (
    RATE,
    written,
)
from tfkey.tags.key_tags import key_texts

FILE_PROPERTIES = bytes.fromhex("A1DCAB8C47A9CF118EE400C00C205365")


def asf(path: Path) -> Path:
    return encode(path, "wmav2", chord(1, RATE, 2), RATE, container="asf")


@pytest.mark.parametrize("name", ["WM/InitialKey", "WM/INITIALKEY", "wm/initialkey", "INITIALKEY"])
def test_asf_attributes(tmp_path: Path, name: str) -> None:
    path = asf(tmp_path / "a.wma")
    file = mutagen.File(path)
    file["Title"], file["WM/Picture"], file[name] = ["夢"], [b"\xff\xd8" * 400], ["Cm"]
    file["WM/Genre"] = [mutagen.asf.ASFUnicodeAttribute("Rock", language=0, stream=1)]
    file["WM/Large"] = [mutagen.asf.ASFByteArrayAttribute(bytes(70000))]
    file.save()
    size, place = path.stat().st_size, path.read_bytes().index(FILE_PROPERTIES) + 40
    stated = int.from_bytes(path.read_bytes()[place : place + 8], "little")
    old = {key: values for key, values in mutagen.File(path).items() if key != name}
    assert key_texts(path) == [(name, "Cm")]
    assert written(path) == "kept"
    assert written(path, "Gb minor", overwrite=True) == "written"
    tags = dict(mutagen.File(path))
    own = [key for key in tags if key.upper().endswith("INITIALKEY")]
    assert [str(tags.pop(key)[0]) for key in own] == ["Gb minor"] * len(own)
    assert name in own
    assert tags == old
    data = path.read_bytes()
    assert int.from_bytes(data[place : place + 8], "little") - stated == len(data) - size


def test_asf_without_attributes(tmp_path: Path) -> None:
    path = asf(tmp_path / "a.wma")
    assert written(path) == "written"
    assert written(path, "C", overwrite=True) == "written"
    assert [str(value) for value in mutagen.File(path)["WM/InitialKey"]] == ["C"]
