"""WAV, AIFF, AU, CAF and W64 whose headers state what is not so."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.media import chord, encode
from tfkey.audio.chunks import find_samples
from tfkey.audio.headers import read_head
from tfkey.audio.reading import read, read_up_to
from tfkey.errors import AudioError

RATE = 22050
SOUND = chord(1.5, RATE, 2)
MONO = SOUND.mean(axis=1)
ID3V1 = b"TAG" + bytes(124) + b"\x08"


def plain(path: Path, container: str, subtype: str = "PCM_16", sound: np.ndarray = SOUND) -> bytes:
    soundfile.write(path, sound, RATE, format=container, subtype=subtype)
    return path.read_bytes()


def wav(
    data: bytes,
    *,
    size: int | None = None,
    riff: int | None = None,
    before: bytes = b"",
    behind: bytes = b"",
    fact: bytes = b"",
    magic: bytes = b"RIFF",
) -> bytes:
    """A 16-bit stereo WAV of any sizes."""
    order = ">" if magic == b"RIFX" else "<"
    form = struct.pack(order + "HHIIHH", 1, 2, RATE, 4 * RATE, 4, 16)
    body = b"WAVE" + b"fmt " + struct.pack(order + "I", 16) + form + fact + before
    body += b"data" + struct.pack(order + "I", len(data) if size is None else size) + data + behind
    return magic + struct.pack(order + "I", len(body) if riff is None else riff) + body


PCM = (SOUND * 32767).astype("<i2").tobytes()
BIG = (SOUND * 32767).astype(">i2").tobytes()
ODD = b"bext" + struct.pack("<I", 601) + bytes(601)
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf59.27.100\0"
WAVS = {
    "as it should be": wav(PCM),
    "no sizes": wav(PCM, size=0, riff=0),
    "no size of the samples": wav(PCM, size=0),
    "no size of the file": wav(PCM, riff=0),
    "all ones": wav(PCM, size=0xFFFFFFFF, riff=0xFFFFFFFF),
    "all ones in the data only": wav(PCM, size=0xFFFFFFFF),
    "signed ones": wav(PCM, size=0x7FFFFFFF, riff=0x7FFFFFFF),
    "as SoX writes to a pipe": wav(PCM, size=0x7FFFF000, riff=0x7FFFF024),
    "too small, more audio follows": wav(PCM, size=len(PCM) // 3 // 4 * 4),
    "off by four": wav(PCM, size=len(PCM) + 4),
    "off by 44, as of writers that count the header": wav(PCM, size=len(PCM) + 44),
    "off by one": wav(PCM, size=len(PCM) + 1),
    "short by eight": wav(PCM, size=len(PCM) - 8),
    "the file too short": wav(PCM, riff=len(PCM) // 2),
    "the file too long": wav(PCM, riff=len(PCM) * 2),
    "an odd chunk, padded": wav(PCM, before=ODD + b"\0"),
    "an odd chunk without its pad byte": wav(PCM, before=ODD),
    "an odd chunk without its pad byte, no sizes": wav(PCM, before=ODD, size=0, riff=0),
    "a chunk that states too much": wav(PCM, before=b"junk" + struct.pack("<I", 5000) + bytes(100)),
    "a chunk that states nothing": wav(PCM, before=b"PEAK\0\0\0\0" + b"\1\0\0\0" * 6),
    "a chunk behind": wav(PCM, behind=LIST),
    "a chunk behind that is cut": wav(PCM, behind=LIST[:-9]),
    "no sizes, a tag behind": wav(PCM, size=0, riff=0) + ID3V1,
    "zeros behind": wav(PCM, behind=bytes(3000)),
    "a fact that counts too much": wav(PCM, fact=b"fact" + struct.pack("<II", 4, 10 * len(PCM))),
    "a fact that counts nothing": wav(PCM, fact=b"fact" + struct.pack("<II", 4, 0)),
    "big-endian": wav(BIG, magic=b"RIFX"),
    "big-endian, no sizes": wav(BIG, magic=b"RIFX", size=0, riff=0),
}


def check(path: Path, content: bytes, warning: str | None = None) -> None:
    """The samples come back as they were, to 16 bits."""
    path.write_bytes(content)
    found = read_up_to(path, RATE, 1 << 30, cut=True)
    assert found.warning == warning
    assert found.waveform is not None
    count = min(found.samples, MONO.size)
    np.testing.assert_allclose(found.waveform[:count], MONO[:count], atol=1e-3)
    if warning is None:
        # A few samples more or less: tails and headers are no music.
        assert abs(found.samples - MONO.size) <= 11


@pytest.mark.parametrize("name", WAVS)
def test_wav(tmp_path: Path, name: str) -> None:
    if name == "zeros behind":
        (tmp_path / "a.wav").write_bytes(WAVS[name])
        assert read(tmp_path / "a.wav", RATE).size == MONO.size
    check(tmp_path / "a.wav", WAVS[name])


def replaced(content: bytes, old: bytes, offset: int, new: bytes) -> bytes:
    """Other bytes at an offset behind a name."""
    place = content.index(old) + offset
    return content[:place] + new + content[place + len(new) :]


NONE, ONES = bytes(4), b"\xff" * 4


def big(number: int, width: int = 4) -> bytes:
    return number.to_bytes(width, "big")


def little(number: int, width: int = 4) -> bytes:
    return number.to_bytes(width, "little")


OTHERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "AIFF, no sizes": ("AIFF", lambda c: replaced(
        replaced(replaced(c, b"FORM", 4, NONE), b"SSND", 4, NONE), b"COMM", 10, NONE)),
    "AIFF, all ones": ("AIFF", lambda c: replaced(replaced(c, b"FORM", 4, ONES), b"SSND", 4, ONES)),
    "AIFF, no frames": ("AIFF", lambda c: replaced(c, b"COMM", 10, NONE)),
    "AIFF, too small": ("AIFF", lambda c: replaced(c, b"SSND", 4, big(30008))),
    "AIFF, off by one": ("AIFF", lambda c: replaced(c, b"SSND", 4, big(len(PCM) + 9))),
    "AIFF, the file too short": ("AIFF", lambda c: replaced(c, b"FORM", 4, big(999))),
    "AIFF, ID3v1": ("AIFF", lambda c: c + ID3V1),
    "AU, no size": ("AU", lambda c: replaced(c, b".snd", 8, NONE)),
    "AU, all ones": ("AU", lambda c: replaced(c, b".snd", 8, ONES)),
    "AU, too small": ("AU", lambda c: replaced(c, b".snd", 8, big(30000))),
    "CAF, no size": ("CAF", lambda c: replaced(c, b"data", 4, bytes(8))),
    "CAF, to the end": ("CAF", lambda c: replaced(c, b"data", 4, b"\xff" * 8)),
    "CAF, too small": ("CAF", lambda c: replaced(c, b"data", 4, big(30004, 8))),
    "W64, no size": ("W64", lambda c: replaced(c, b"data", 16, bytes(8))),
    "W64, all ones": ("W64", lambda c: replaced(c, b"data", 16, b"\xff" * 8)),
    "W64, too small": ("W64", lambda c: replaced(c, b"data", 16, little(30024, 8))),
    "RF64, no size": ("RF64", lambda c: replaced(replaced(c, b"ds64", 8, bytes(20)), b"data", 4, ONES)),
    "RF64, all ones": ("RF64", lambda c: replaced(
        replaced(c, b"ds64", 8, b"\xff" * 24), b"data", 4, ONES)),
    "RF64, too small": ("RF64", lambda c: replaced(
        replaced(c, b"ds64", 16, little(30000, 8)), b"data", 4, ONES)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_containers(tmp_path: Path, name: str) -> None:
    container, change = OTHERS[name]
    content = plain(tmp_path / "plain", container)
    assert change(content) != content
    check(tmp_path / "a.dat", change(content))


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_consistent_files_are_decoded_as_they_are(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / "a.dat"
    plain(path, container, subtype, chord(0.5, RATE, 2))
    with path.open("rb") as stream:
        samples = find_samples(stream, read_head(stream, path.stat().st_size))
    assert samples is not None
    assert (samples.header, samples.missing_seconds) == (b"", 0)
    assert samples.stated_seconds == pytest.approx(0.5)


CODINGS = ("PCM_U8", "PCM_S8", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW")


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        (container, subtype)
        for container in ("WAV", "AIFF", "AU", "CAF", "W64", "RF64")
        for subtype in CODINGS
        if soundfile.check_format(container, subtype)
    ],
)
def test_every_coding_behind_a_new_header(tmp_path: Path, container: str, subtype: str) -> None:
    """A tag in front is what makes a new header of any file."""
    content = plain(tmp_path / "plain", container, subtype)
    (tmp_path / "a.dat").write_bytes(b"ID3\4\0\0\0\0\1\0" + bytes(128) + content)
    np.testing.assert_array_equal(read(tmp_path / "a.dat", RATE), read(tmp_path / "plain", RATE))


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "CAF", "W64", "RF64"])
@pytest.mark.parametrize("kept", [0.4, 0.8])
def test_what_is_really_cut(tmp_path: Path, container: str, kept: float) -> None:
    content = plain(tmp_path / "plain", container)
    path = tmp_path / "a.dat"
    check(path, content[: int(len(content) * kept)], f"truncated ({kept * 1.5:.1f} of 1.5 s)")
    with pytest.raises(AudioError, match=r"truncated \(.* of 1.5 s\); copy it again"):
        read(path)


@pytest.mark.parametrize("codec", ["adpcm_ima_wav", "adpcm_ms", "libmp3lame", "pcm_f32le", "pcm_alaw"])
def test_codings_in_wav(tmp_path: Path, codec: str) -> None:
    path = encode(tmp_path / "a.wav", codec, SOUND, RATE)
    assert abs(read(path, RATE).size - MONO.size) < 3000
    content = path.read_bytes()
    # A crash leaves sizes of zero; another length stands in the fact chunk.
    place = content.index(b"data")
    content = content[:4] + bytes(4) + content[8 : place + 4] + bytes(4) + content[place + 8 :]
    if b"fact" in content:
        content = replaced(content, b"fact", 8, little(5 * MONO.size))
    path.write_bytes(content)
    assert abs(read(path, RATE).size - MONO.size) < 3000
