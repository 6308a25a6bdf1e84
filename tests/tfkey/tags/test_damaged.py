"""Damaged files of every format: read and written, or refused with a reason, and never anything else.

A longer run: ``python -m tests.tfkey.tags.test_damaged SECONDS [SEED]``.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from tests.media import chord, encode
from tests.tfkey.tags.building import FILES, ID3V1, RATE
from tests.tfkey.tags.test_id3 import APE, CASES, STATED, tag
from tfkey.tags import formats
from tfkey.tags.fields import key_texts
from tfkey.tags.patches import Source, UntaggableError, apply

WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\0\0\1\0", b"\x80\0\0\0")


def samples(folder: Path) -> list[bytes]:
    """Small files of every format, with and without tags."""
    found = []
    for name in ("a.mp3", "a.flac", "a.ogg", "a.wav", "a.aiff"):
        soundfile.write(folder / name, chord(0.1, RATE, 1), RATE)
        found.append((folder / name).read_bytes())
    sound = found[0]
    for options in ({}, {"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}):
        path = encode(folder / "a.m4a", "aac", chord(0.1, RATE, 2), RATE, container="mp4", **options)
        found.append(path.read_bytes())
    found.append(encode(folder / "a.wma", "wmav2", chord(0.1, RATE, 2), RATE, container="asf").read_bytes())
    found += [(FILES / name).read_bytes() for name in ("mixed_in_key.flac", "mixed_in_key.m4a")]
    found += [case.front + sound + case.end for case in CASES.values()]
    found += [
        tag(version, b"".join(frames), flags, 10) + sound for version, flags, frames, _, _ in STATED.values()
    ]
    return [*found, sound + APE + ID3V1]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A file with a few changes, most of them near its start."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        if len(changed) < 8:
            break
        place = chance.randrange(len(changed) if chance.random() < 0.3 else min(len(changed), 1500))
        kind = chance.randrange(5)
        if kind == 0:
            changed[place] = chance.randrange(256)
        elif kind == 1:
            changed[place : place + 4] = chance.choice(WORDS)
        elif kind == 2:
            del changed[place : place + chance.randrange(1, 50)]
        elif kind == 3:
            changed[place:place] = changed[max(0, place - 30) : place]
        else:
            del changed[chance.randrange(len(changed)) :]
    return bytes(changed)


def check(data: bytes) -> str:
    """Plan a key; what comes of the patches must state it, and all else must still be there."""
    try:
        patches = formats.plan(Source(io.BytesIO(data)), "Am").patches
    except UntaggableError as error:
        return "refused" if "; " in str(error) and "\n" not in str(error) else f"refused badly: {error}"
    place, parts = 0, []
    for patch in patches:
        assert place <= patch.start <= patch.end <= len(data)
        parts += [data[place : patch.start], patch.data]
        place = patch.end
    changed = b"".join([*parts, data[place:]])
    stated = key_texts(formats.plan(Source(io.BytesIO(changed)), None).fields)
    assert {text for _, text in stated} == {"Am"}
    return "written"


def run(seconds: float, inputs: int, seed: int, folder: Path) -> Counter[str]:
    """Check damaged files until the time is up, or as many as are asked for."""
    chance, counts = random.Random(seed), Counter[str]()
    files = samples(folder)
    end = time.monotonic() + seconds
    while time.monotonic() < end and counts.total() < inputs:
        data = damaged(chance.choice(files), chance)
        try:
            counts[check(data)] += 1
        except Exception:
            (folder / "found").write_bytes(data)
            raise
    return counts


def test_damaged_files_are_tagged_or_refused(tmp_path: Path) -> None:
    counts = run(20, 5000, 0, tmp_path)
    assert counts.keys() == {"written", "refused"}
    assert counts["written"] > 100
    assert counts["refused"] > 100


def in_movie(data: bytes, extra: bytes) -> bytes:
    """An MP4 file whose movie box is last, with something more at the end of that box."""
    place = data.rindex(b"moov") - 4
    size = int.from_bytes(data[place : place + 4], "big") + len(extra)
    return data[:place] + size.to_bytes(4, "big") + data[place + 4 :] + extra


@pytest.mark.parametrize(
    ("extra", "outcome"),
    [
        # Once each of these ended in an exception, or in a key that was not found again.
        (bytes(4) + b"zero" + bytes(8), "written"),
        (b"\0\0\0\5short", "written"),
        (b"odd", "written"),
        (b"\0\0\0\x10udta\0\0\0\x20meta", "refused"),
        (b"\0\0\0\x20udta\0\0\0\x08meta", "refused"),
        (b"\0\0\0\x0cudta" + bytes(4), "written"),
    ],
)
def test_damaged_movie_boxes(tmp_path: Path, extra: bytes, outcome: str) -> None:
    path = encode(tmp_path / "a.m4a", "aac", chord(0.1, RATE, 2), RATE, container="mp4", fflags="bitexact")
    data = path.read_bytes()
    assert check(data) == "written"
    place = data.rindex(b"moov") - 4
    assert len(data) == place + int.from_bytes(data[place : place + 4], "big")
    user = data.rfind(b"udta") - 4
    if user > place:
        data = data[:place] + (user - place).to_bytes(4, "big") + data[place + 4 : user]
    assert check(in_movie(data, extra)) == outcome


def test_damaged_headers() -> None:
    no_length = bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C") + bytes(200)
    assert check(no_length) == "refused"
    sound = CASES["2.3"].front + (FILES / "id3v1_only.mp3").read_bytes()
    assert check(sound) == "written"
    extended = tag(3, b"\0\0\0\3" + bytes(40), 0x40) + (FILES / "id3v1_only.mp3").read_bytes()
    assert check(extended) == "refused"


@pytest.mark.parametrize("lengths", [(0, 0), (3, 5), (5, 3), (0, 2), (2, 0)])
def test_patches(tmp_path: Path, lengths: tuple[int, int]) -> None:
    from tfkey.tags.patches import Patch

    old = bytes(range(100))
    patches = [Patch(10, 10 + lengths[0], b"x" * lengths[1]), Patch(50, 52, b"yy"), Patch(100, 100, b"end")]
    for count in (1, 2, 3):
        source, copy = tmp_path / "source", tmp_path / "copy"
        source.write_bytes(old)
        copy.write_bytes(old)
        apply(source, copy, patches[:count])
        expected = old[:10] + b"x" * lengths[1] + old[10 + lengths[0] : 50]
        expected += (b"yy" if count > 1 else old[50:52]) + old[52:] + (b"end" if count > 2 else b"")
        assert copy.read_bytes() == expected


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp())
    print(place, run(float(sys.argv[1]), sys.maxsize, int((*sys.argv, "0")[2]), place))
