"""What lies around the audio, and formats that go by another name."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.media import chord, encode
from tfkey.audio.headers import read_head
from tfkey.audio.reading import blocks, read, read_up_to
from tfkey.errors import AudioError

RATE = 44100
SECONDS = 2.0


def by_libsndfile(path: Path, suffix: str) -> None:
    kind = {"opus": {"format": "OGG", "subtype": "OPUS"}, "w64": {"format": "W64"}, "caf": {"format": "CAF"}}
    rate = 48000 if suffix == "opus" else RATE
    soundfile.write(path, chord(SECONDS, rate, 2), rate, **{"format": suffix.upper(), **kind.get(suffix, {})})


def by_ffmpeg(path: Path, codec: str, container: str) -> None:
    encode(path, codec, chord(SECONDS, RATE, 2), RATE, container=container)


MAKERS: dict[str, Callable[[Path], object]] = {
    **{
        suffix: lambda path, s=suffix: by_libsndfile(path, s)
        for suffix in ("wav", "aiff", "au", "caf", "w64", "flac", "ogg", "opus", "mp3")
    },
    "aac": lambda path: by_ffmpeg(path, "aac", "adts"),
    "m4a": lambda path: by_ffmpeg(path, "aac", "mp4"),
    "oga": lambda path: by_ffmpeg(path, "flac", "ogg"),
    "mp2": lambda path: by_ffmpeg(path, "mp2", "mp2"),
    "mka": lambda path: by_ffmpeg(path, "aac", "matroska"),
    "wma": lambda path: by_ffmpeg(path, "wmav2", "asf"),
    "flv": lambda path: by_ffmpeg(path, "aac", "flv"),
    "ts": lambda path: by_ffmpeg(path, "aac", "mpegts"),
    "wv": lambda path: by_ffmpeg(path, "wavpack", "wv"),
    "mp3.wav": lambda path: by_ffmpeg(path, "libmp3lame", "wav"),
}
KINDS = {"ogg": "vorbis", "oga": "ogg", "m4a": "mp4", "mp2": "mp3", "mka": "matroska", "wma": "asf",
         "ts": "mpegts", "wv": "wavpack", "mp3.wav": "wav"}  # fmt: skip


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("plain")

    def content(suffix: str) -> bytes:
        path = folder / f"plain.{suffix}"
        if not path.exists():
            MAKERS[suffix](path)
        return path.read_bytes()

    return content


def check(path: Path, content: bytes, slack: float = 0.06) -> None:
    """A file is read whole, by all ways."""
    path.write_bytes(content)
    waveform = read(path)
    assert waveform.size / RATE == pytest.approx(SECONDS, abs=slack)
    # Music from start to end, and not the noise that a tag would be.
    assert 0.1 < np.abs(waveform[RATE // 4 : -RATE // 4]).max() < 0.7
    np.testing.assert_array_equal(np.concatenate([part.copy() for part in blocks(path)]), waveform)


def tag_v2(size: int, stated: int | None = None, footer: bool = False) -> bytes:
    """An ID3v2 tag of a private frame, which states a size (by default its own)."""
    stated = size if stated is None else stated
    seven = bytes(stated >> shift & 0x7F for shift in (21, 14, 7, 0))
    random = np.random.default_rng(0).integers(0, 256, max(size - 10, 0), np.uint8).tobytes()
    frame = b"PRIV" + len(random).to_bytes(4, "big") + b"\0\0" + random
    return b"ID3\4\0" + (b"\x10" if footer else b"\0") + seven + frame + (b"3DI\4\0\x10" + seven) * footer


def ape(has_header: bool = True) -> bytes:
    """An APE tag of one item."""
    item = (5).to_bytes(4, "little") + bytes(4) + b"Title\0Waltz"
    rest = (len(item) + 32).to_bytes(4, "little") + (1).to_bytes(4, "little")
    version = (2000 if has_header else 1000).to_bytes(4, "little")
    flags = 0x80000000 if has_header else 0
    header = b"APETAGEX" + version + rest + (flags | 0x20000000).to_bytes(4, "little") + bytes(8)
    footer = b"APETAGEX" + version + rest + flags.to_bytes(4, "little") + bytes(8)
    return (header if has_header else b"") + item + footer


V1 = b"TAG" + b"Waltz".ljust(124, b"\0") + b"\x08"
LYRICS = b"LYRICSBEGININD00002" + b"00" + b"LYR00009la la la.000038LYRICS200"
OLD_LYRICS = b"LYRICSBEGINla la laLYRICSEND"

BEHIND = {
    "ID3v1": V1,
    "enhanced ID3v1": b"TAG+" + bytes(223) + V1,
    "APEv1": ape(has_header=False),
    "APEv2": ape(),
    "Lyrics3": OLD_LYRICS + V1,
    "Lyrics3v2": LYRICS + V1,
    "ID3v2.4 with a footer": tag_v2(500, footer=True),
    "several": ape() + LYRICS + V1,
    "two ID3v1": V1 + V1,
}
BEFORE = {
    "ID3v2": tag_v2(3000),
    "ID3v2 with a footer": tag_v2(3000, footer=True),
    "two ID3v2": tag_v2(300) + tag_v2(70000),
    "ID3v2 and zeros": tag_v2(300) + bytes(1000),
    "ID3v2 that states too little": tag_v2(3000, stated=700),
    "ID3v2 that states too much": tag_v2(3000, stated=9000),
    "ID3v2 that states more than there is": tag_v2(3000, stated=1 << 26),
    "ID3v2 that states nothing": tag_v2(3000, stated=0),
    "APEv2": ape(),
}
CONTAINERS = ("wav", "aiff", "flac", "ogg", "opus", "oga", "mp3", "aac", "m4a")


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("name", BEHIND)
def test_tags_behind(contents, tmp_path: Path, suffix: str, name: str) -> None:
    check(tmp_path / f"a.{suffix}", contents(suffix) + BEHIND[name])


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("name", BEFORE)
def test_tags_in_front(contents, tmp_path: Path, suffix: str, name: str) -> None:
    check(tmp_path / f"a.{suffix}", BEFORE[name] + contents(suffix))


@pytest.mark.parametrize("suffix", ["caf", "au", "w64", "mka", "wma", "ts", "wv", "mp2"])
def test_tags_around(contents, tmp_path: Path, suffix: str) -> None:
    check(tmp_path / f"a.{suffix}", tag_v2(900) + contents(suffix) + ape() + V1)


@pytest.mark.parametrize("suffix", MAKERS)
def test_the_suffix_does_not_matter(contents, tmp_path: Path, suffix: str) -> None:
    content = contents(suffix)
    assert read_head(io.BytesIO(content), len(content)).kind == KINDS.get(suffix, suffix)
    for other in ("mp3", "wav", "flac", "ogg", "m4a", "aiff", "raw", "txt"):
        if other != suffix:
            check(tmp_path / f"a.{other}", content)


def test_what_only_looks_like_audio_is_none(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 1 << 16, np.uint8).tobytes()
    for content in (noise, b"\xff\xfb\x90\x64" + noise, b"OggS", b"RIFF\0\0\0\0WAVE", b"ID3", b"\xff" * 9000):
        head = read_head(io.BytesIO(content), len(content))
        assert head.kind in ("unknown", "ogg", "wav")
        assert 0 <= head.start <= head.end <= len(content)


def test_damaged_files_raise_nothing_but_audio_errors(contents, tmp_path: Path) -> None:
    """A short run of random changes: every reader of headers takes whatever comes."""
    random = np.random.default_rng(1)
    path = tmp_path / "a.dat"
    seeds = [contents(suffix) for suffix in MAKERS]
    for number in range(300):
        content = bytearray(seeds[number % len(seeds)])
        content[:0] = list(BEFORE.values())[number % len(BEFORE)] if number % 5 == 0 else b""
        for _ in range(random.integers(1, 8)):
            place = random.integers(min(len(content), 200 if random.random() < 0.8 else len(content)))
            new = [bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"", random.bytes(3)][random.integers(5)]
            content[place : place + 4] = new
        if number % 3 == 0:
            del content[random.integers(1, len(content)) :]
        path.write_bytes(content)
        with contextlib.suppress(AudioError):
            read_up_to(path, RATE, 600 * RATE, cut=True)
