"""Key tags in WAV and AIFF: all other chunks keep their bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile

from tests.media import chord
from tests.tfkey.tags.building import (
    ID3V1,
    RATE,
    frame,
    tag,
    text,
    written,
)
from tfkey.errors import TagError
from tfkey.tags.key_tags import write_key


def chunk(name: bytes, content: bytes, order: str = "little") -> bytes:
    return name + len(content).to_bytes(4, order) + content + bytes(len(content) % 2)  # type: ignore[arg-type]


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    order = "little" if data[:4] == b"RIFF" else "big"
    place, found = 12, []
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], order)  # type: ignore[arg-type]
        found.append((data[place : place + 4], data[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    return found


SOUND = (np.sin(np.arange(8000) / 20) * 9000).astype("<i2").tobytes()
FORMAT = struct.pack("<HHIIHH", 1, 1, 44100, 88200, 2, 16)
BEXT, CUE, SMPL = b"description".ljust(602, b"\0"), struct.pack("<IIIIIII", 1, 1, 0, 0, 0, 0, 400), bytes(36)
LIST = b"INFOISFT" + struct.pack("<I", 5) + b"odd!\0\0"
TITLE = tag(3, frame("TIT2", text("title")), padding=7)


def wav(*parts: bytes, size: int | None = None, behind: bytes = b"") -> bytes:
    body = b"WAVE" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body + behind


FMT, DATA = chunk(b"fmt ", FORMAT), chunk(b"data", SOUND)
OTHERS = (chunk(b"bext", BEXT), chunk(b"cue ", CUE), chunk(b"smpl", SMPL), chunk(b"LIST", LIST))
WAVS = {
    "plain": wav(FMT, DATA),
    "others": wav(OTHERS[0], FMT, DATA, *OTHERS[1:]),
    "tag first": wav(FMT, chunk(b"id3 ", TITLE), DATA, OTHERS[3]),
    "tag last": wav(FMT, DATA, OTHERS[1], chunk(b"ID3 ", TITLE)),
    "tag in the middle": wav(FMT, DATA, chunk(b"id3 ", TITLE + b"x"), OTHERS[1]),
    "empty tag": wav(FMT, DATA, chunk(b"id3 ", b""), OTHERS[1]),
    "no pad byte": wav(FMT, DATA, chunk(b"junk", b"odd")[:-1]),
    "no pad byte, not counted": wav(FMT, DATA, chunk(b"junk", b"odd"), size=len(FMT) + len(DATA) + 15),
    "size of zero": wav(FMT, DATA, OTHERS[1], size=0),
    "size of all ones": wav(FMT, DATA, OTHERS[1], size=0xFFFFFFFF),
    "size too small": wav(FMT, DATA, OTHERS[1], size=100),
    "size off by four": wav(FMT, DATA, OTHERS[1], size=len(FMT + DATA + OTHERS[1])),
    "ID3v1 behind": wav(FMT, DATA, OTHERS[1], behind=ID3V1),
}


@pytest.mark.parametrize("name", WAVS)
def test_wav_chunks(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.wav"
    data = WAVS[name]
    path.write_bytes(data)
    end = ID3V1 if data.endswith(ID3V1) else b""
    before = [item for item in chunks(data.removesuffix(end)) if item[0].upper() != b"ID3 "]
    for key in ("Am", "Gb minor", "C"):
        assert written(path, key, referee=key == "Am", overwrite=True) == "written"
        after = path.read_bytes()
        assert after.endswith(end)
        whole = after.removesuffix(end)
        assert int.from_bytes(whole[4:8], "little") == len(whole) - 8
        found = chunks(whole)
        assert [item for item in found if item[0].upper() != b"ID3 "] == before
        assert sum(item[0].upper() == b"ID3 " for item in found) == 1
        if "tag " in name:
            assert frame("TIT2", text("title")) in whole
        tags = mutagen.File(path).tags
        assert tags["TKEY"].text == [key]
        assert soundfile.read(path, dtype="int16")[0].tobytes() == SOUND


@pytest.mark.parametrize(
    "data",
    [
        wav(FMT, b"data" + bytes(4) + SOUND),
        wav(FMT, b"data" + b"\xff" * 4 + SOUND),
        wav(FMT, b"data" + struct.pack("<I", len(SOUND) + 900) + SOUND),
        wav(FMT, b"data" + struct.pack("<I", len(SOUND) - 900) + SOUND),
        wav(FMT, DATA, chunk(b"id3 ", b"nothing of the kind")),
        wav(FMT, DATA, chunk(b"id3 ", TITLE[:20])),
    ],
)
def test_wav_that_cannot_be_tagged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(TagError, match=r"states wrong lengths|holds no complete ID3 tag") as caught:
        write_key(path, "Am")
    assert "; " in str(caught.value)
    assert path.read_bytes() == data


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_tags_of_chunks_keep_their_version(tmp_path: Path, suffix: str, version: int) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, chord(0.5, RATE, 1), RATE)
    data = path.read_bytes()
    order: Any = "little" if suffix == "wav" else "big"
    old = tag(version, frame({2: "TT2"}.get(version, "TIT2"), text("title"), version))
    whole = data + chunk(b"id3 " if suffix == "wav" else b"ID3 ", old, order)
    path.write_bytes(whole[:4] + (len(whole) - 8).to_bytes(4, order) + whole[8:])
    assert written(path) == "written"
    assert [item for item in chunks(path.read_bytes()) if item[0].upper() != b"ID3 "] == chunks(data)
    tags = mutagen.File(path).tags
    assert (tags["TKEY"].text, tags["TIT2"].text, tags.version[1]) == (["Am"], ["title"], version)
