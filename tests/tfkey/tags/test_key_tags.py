from __future__ import annotations

import errno
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, GEOB, ID3, PRIV, TIT2, TKEY, TXXX
from mutagen.mp4 import MP4Cover

from tests.killing import in_fork
from tests.media import chord, encode, packets
from tfkey.audio.reading import read
from tfkey.errors import TagError
from tfkey.tags.key_tags import key_texts, write_key

COVER = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
FRAMES = (
    TIT2(encoding=1, text=["Lied ohne Worte 夢"]),
    APIC(encoding=0, mime="image/jpeg", type=3, desc="front", data=COVER),
    COMM(encoding=0, lang="eng", desc="", text=["energy 7"]),
    GEOB(encoding=0, mime="application/octet-stream", filename="", desc="Serato Markers_", data=bytes(300)),
    PRIV(owner="somebody", data=b"\xff\x00\xff\xe0"),
    TXXX(encoding=1, desc="BARCODE", text=["1234"]),
)


def make(folder: Path, kind: str) -> Path:
    """A file of a kind with a cover and other tags, but no key."""
    name, _, version = kind.partition(" ")
    path = folder / name
    sound = chord(1, 48000, 2)
    if path.suffix in (".m4a", ".wma"):
        encode(path, "aac" if path.suffix == ".m4a" else "wmav2", sound, 48000,
               container="mp4" if path.suffix == ".m4a" else "asf")  # fmt: skip
    else:
        opus = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
        soundfile.write(path, sound, 48000, **opus)
    if version == "bare":
        return path
    if path.suffix == ".mp3":
        tags = ID3()
        for frame in FRAMES:
            tags.add(frame)
        tags.save(path, v1=2, v2_version=int(version))
        return path
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if path.suffix in (".wav", ".aiff"):
        for frame in FRAMES:
            file.tags.add(frame)
        file.save(v2_version=int(version))
    elif path.suffix == ".m4a":
        file.tags["©nam"] = ["夢"]
        file.tags["covr"] = [MP4Cover(COVER, MP4Cover.FORMAT_JPEG)]
        file.tags["----:com.apple.iTunes:LABEL"] = [b"None"]
        file.save()
    elif path.suffix == ".wma":
        file.tags["Title"] = ["夢"]
        file.save()
    else:
        file.tags["TITLE"] = ["夢"]
        file.tags["Artist"] = ["one", "two"]
        if isinstance(file, FLAC):
            picture = Picture()
            picture.data, picture.mime, picture.type = COVER, "image/jpeg", 3
            file.add_picture(picture)
        file.save()
    return path


KINDS = ["a.mp3 3", "a.mp3 4", "a.mp3 bare", "a.wav 3", "a.wav 4", "a.wav bare", "a.aiff 3", "a.aiff 4",
         "a.aiff bare", "a.flac", "a.flac bare", "a.ogg", "a.ogg bare", "a.opus", "a.opus bare", "a.m4a",
         "a.m4a bare", "a.wma", "a.wma bare"]  # fmt: skip
ID3_KINDS = [kind for kind in KINDS if kind.split(".")[1].split()[0] in ("mp3", "wav", "aiff")]


def reopen(path: Path) -> Any:
    file = mutagen.File(path)
    if getattr(getattr(file, "tags", None), "version", (0,)) >= (2, 3):
        file = type(file)(path, translate=False)
    return file


def content(path: Path) -> tuple[Any, ...]:
    """All of a file but its key: tags, version, pictures, coded and decoded sound."""
    file = reopen(path)
    tags = file.tags
    pictures = [picture.write() for picture in file.pictures] if isinstance(file, FLAC) else []
    if tags is None:
        others: Any = {}
    elif hasattr(tags, "getall"):
        others = {name: frame for name, frame in tags.items() if name != "TKEY"}, tags.version[:2]
    elif isinstance(tags, list):
        others = [item for item in tags if item[0].upper() not in ("INITIALKEY", "WM/INITIALKEY")]
    else:
        others = {name: value for name, value in tags.items() if not name.endswith(":initialkey")}
    end = path.read_bytes()[-128:] if path.suffix == ".mp3" else b""
    return others, pictures, packets(path), end, read(path, 48000).tobytes()


def stated(path: Path) -> list[str]:
    """The key by mutagen itself, where its users look for it."""
    tags = mutagen.File(path).tags
    if hasattr(tags, "getall"):
        return [text for frame in tags.getall("TKEY") for text in frame.text]
    name = {".m4a": "----:com.apple.iTunes:initialkey", ".wma": "WM/InitialKey"}.get(
        path.suffix, "INITIALKEY"
    )
    return [value.decode() if isinstance(value, bytes) else str(value) for value in tags[name]]


def ffmpeg_says(path: Path) -> str | None:
    """The key by FFmpeg: the program, or its library."""
    # FFmpeg 5 drops all of a WAV's ID3 where a private frame is among it.
    if shutil.which("ffprobe") and path.suffix != ".wav":
        command = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", str(path)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found = dict(line.removeprefix("TAG:").split("=", 1) for line in lines if "=" in line)
    else:
        with av.open(str(path)) as container:
            found = {**container.metadata, **container.streams.audio[0].metadata}
    names = {"tkey", "initialkey", "wm/initialkey"}
    return next((value for name, value in found.items() if name.lower() in names), None)


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="needs ffprobe")
def test_ffprobe_finds_the_key_of_a_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 44100)
    assert write_key(path, "Abm").state == "written"
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags", str(path)]
    assert "TAG:TKEY=Abm" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", KINDS)
def test_key_is_written_and_nothing_else_changes(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    before = content(path)
    os.chmod(path, 0o640)
    assert key_texts(path) == []
    change = write_key(path, "Abm", dry_run=True)
    assert (change.state, change.text, key_texts(path)) == ("would write", "Abm", [])
    assert write_key(path, "Abm").state == "written"
    assert stated(path) == ["Abm"]
    assert ffmpeg_says(path) == "Abm"
    # A key that is there stays, then goes.
    change = write_key(path, "12A")
    assert (change.state, change.before, stated(path)) == ("kept", "Abm", ["Abm"])
    assert write_key(path, "Db minor", overwrite=True).before == "Abm"
    assert stated(path) == [ffmpeg_says(path)] == ["Db minor"]
    after = content(path)
    if "bare" in kind and kind in ID3_KINDS:
        assert after[0] == ({}, (2, 3))
        before, after = before[1:], after[1:]
    assert after == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_recording_without_a_key(tmp_path: Path) -> None:
    path = make(tmp_path, "a.mp3 3")
    assert write_key(path, None).state == "written"
    assert stated(path) == ["o"]
    flac = make(tmp_path, "a.flac")
    assert write_key(flac, None).state == "kept"
    assert key_texts(flac) == []


def raw_frames(path: Path) -> list[bytes]:
    """The frames of a plain ID3v2.3 tag, by its specification."""
    data = path.read_bytes()
    place, frames = 10, []
    while data[place]:
        size = 10 + int.from_bytes(data[place + 4 : place + 8], "big")
        frames.append(data[place : place + size])
        place += size
    return frames


def test_frames_that_nobody_understands_stay_byte_for_byte(tmp_path: Path) -> None:
    path = make(tmp_path, "a.mp3 bare")
    odd = [
        b"TIT2" + (5).to_bytes(4, "big") + b"\0\0" + b"\0abc\0",  # a terminator that need not be
        b"XYZ1" + (3).to_bytes(4, "big") + b"\0\0" + b"\xff\x01\x02",
        b"APIC" + (2).to_bytes(4, "big") + b"\0\0" + b"\x09\x09",  # broken
        b"TPE1" + (9).to_bytes(4, "big") + b"\0\x80" + b"\0\0\0\x01zipped"[:9],  # said to be compressed
        b"TIT2" + (3).to_bytes(4, "big") + b"\0\0" + b"\0xy",  # one too many
    ]
    key = b"TKEY" + (4).to_bytes(4, "big") + b"\0\0" + b"\0Cm "
    named = b"TXXX" + (14).to_bytes(4, "big") + b"\0\0" + b"\0initialkey\0Cm"
    for frames in (odd, [*odd[:2], key, *odd[2:], named]):
        body = b"".join(frames)
        size = len(body) + 20
        sound = (tmp_path / "sound").read_bytes() if (tmp_path / "sound").exists() else path.read_bytes()
        (tmp_path / "sound").write_bytes(sound)
        path.write_bytes(b"ID3\x03\0\0" + bytes([0, 0, size >> 7, size & 127]) + body + bytes(20) + sound)
        assert write_key(path, "F#m", overwrite=True).state == "written"
        found = raw_frames(path)
        assert [frame for frame in found if frame in odd] == odd
        assert {frame[10:] for frame in found if frame not in odd} <= {b"\0F#m", b"\0initialkey\0F#m"}
        assert {text for _, text in key_texts(path)} == {"F#m"}
        assert path.read_bytes().endswith(sound)
        # It fits into the padding; no need to move the sound.
        size_before = path.stat().st_size
        assert write_key(path, "Am", overwrite=True).state == "written"
        assert path.stat().st_size == size_before


@pytest.mark.parametrize("kind", ["2.2", "unsynchronised", "sizes of iTunes"])
def test_rare_id3_tags(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, "a.mp3 bare")
    sound = path.read_bytes()
    text = b"\0" + b"x" * 199
    if kind == "2.2":
        tag = b"ID3\x02\0\0\0\0\x01\x4e" + b"TT2" + (200).to_bytes(3, "big") + text
    elif kind == "unsynchronised":
        body = b"PRIV" + (8).to_bytes(4, "big") + b"\0\0" + b"me\0\xff\0\xe0\xff\0\x01"
        tag = b"ID3\x03\0\x80\0\0\0" + bytes([len(body)]) + body
    else:
        tag = b"ID3\x04\0\0\0\0\x02\x25" + b"TIT2" + (200).to_bytes(4, "big") + b"\0\0" + text
        tag += b"TPE1" + (85).to_bytes(4, "big") + b"\0\0" + b"\0" + b"y" * 84
    size = len(tag) - 10
    tag = tag[:6] + bytes([0, 0, size >> 7, size & 127]) + tag[10:]
    id3v1 = b"TAG" + b"other than above".ljust(125, b"\0")
    path.write_bytes(tag + sound + id3v1)
    old = dict(mutagen.File(path).tags)
    assert old
    assert write_key(path, "Bbm").state == "written"
    tags = dict(mutagen.File(path).tags)
    assert tags.pop("TKEY").text == ["Bbm"]
    assert tags == old
    assert path.read_bytes().endswith(sound + id3v1)


def test_all_that_states_a_key_is_replaced(tmp_path: Path) -> None:
    flac = make(tmp_path, "a.flac")
    file = FLAC(flac)
    file.tags["key"] = "Cm"
    file.tags["initialKey"] = ["Cm", ""]
    file.save()
    assert write_key(flac, "5A").state == "kept"
    assert write_key(flac, "5A", overwrite=True).state == "written"
    # Each where it was, under the name that it had.
    assert key_texts(flac) == [("key", "5A"), ("initialKey", "5A")]
    aiff = make(tmp_path, "a.aiff 3")
    file = reopen(aiff)
    file.tags.add(TXXX(encoding=1, desc="Initial Key", text=["Cm"]))
    file.tags.add(TKEY(encoding=0, text=[" "]))
    file.save(v2_version=3)
    assert write_key(aiff, "5A").state == "kept"
    assert write_key(aiff, "5A", overwrite=True).before == "Cm"
    assert sorted(key_texts(aiff)) == [("Initial Key", "5A"), ("TKEY", "5A")]
    assert write_key(aiff, "5A", overwrite=True).state == "kept"


def test_links_are_followed_and_leftovers_go(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = make(tmp_path / "real", "a.mp3 3")
    stale, fresh = (tmp_path / "real" / f".tfkey-{name}.partial.mp3" for name in ("old", "new"))
    for leftover in (stale, fresh):
        leftover.touch()
    os.utime(stale, (0, 0))
    (tmp_path / "link.mp3").symlink_to(path)
    assert write_key(tmp_path / "link.mp3", "Am").state == "written"
    assert (tmp_path / "link.mp3").is_symlink()
    assert stated(path) == ["Am"]
    assert (stale.exists(), fresh.exists()) == (False, True)


def test_name_of_any_bytes_and_of_any_length(tmp_path: Path) -> None:
    for name in ("深い \udcff.mp3", "n" * 251 + ".mp3"):
        path = make(tmp_path, "a.mp3 4").rename(tmp_path / name)
        assert write_key(path, "Am").state == "written"
        assert stated(path) == ["Am"]


def complaint(path: Path, *arguments: Any, **options: Any) -> str:
    """What is said of a file that cannot be tagged, and is left as it was."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(TagError) as caught:
        write_key(path, *arguments, **options)
    assert (path.read_bytes() if path.exists() else None) == before
    assert not list(path.parent.glob(".tfkey-*"))
    assert str(caught.value).startswith(f"{path}: ")
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


UNTAGGABLE = {
    "empty": (b"", "is empty"),
    "text": (b"This is not music, but it is called so. " * 9, "is a file of unknown format"),
    "Matroska": (b"\x1aE\xdf\xa3" + bytes(99), "is Matroska or WebM, which has no supported key tag"),
    "RF64": (b"RF64\xff\xff\xff\xffWAVEds64" + bytes(99), "is RF64"),
    "WavPack": (b"wvpk" + bytes(99), "is WavPack"),
    "AVI": (b"RIFF\x63\0\0\0AVI " + bytes(99), "is AVI"),
    "AAC": (b"\xff\xf1\x50\x80\x2e\x7f\xfc" + bytes(99), "is AAC without a container"),
    "Ogg behind ID3": (b"ID3\3\0\0\0\0\0\0OggS" + bytes(99), "is Ogg after an ID3 tag"),
    "cut tag": (b"ID3\3\0\0\0\0\x7f\x7f" + bytes(99), "its ID3 tag is damaged (it is longer than the file)"),
    "tag without a size": (
        b"ID3\3\0\0\xff\xff\xff\xff" + bytes(99),
        "its ID3 tag is damaged (it states no size)",
    ),
    "cut FLAC": (b"fLaC" + bytes(50), "its tags cannot be read (the file ends within them)"),
    "FLAC without its first block": (b"fLaC\x84\0\0\x08" + bytes(8), "its FLAC header is damaged at byte 4"),
    "MP4 without a movie": (b"\0\0\0\x10ftypM4A \0\0\0\0\0\0\0\x08mdat", "its MP4 boxes are damaged"),
    "Ogg without sound": (b"OggS\0\2" + bytes(20) + b"\1\x08fishead\0", "is Ogg without a stream of Vorbis"),
    "ASF without a header": (
        bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C") + bytes(99),
        "its ASF header is damaged",
    ),
}


@pytest.mark.parametrize("name", UNTAGGABLE)
def test_the_true_reason(tmp_path: Path, name: str) -> None:
    data, reason = UNTAGGABLE[name]
    for suffix in (".mp3", ".flac", ".m4a"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(data)
        assert reason in complaint(path, "Am")
        assert reason in complaint(path, "Am", overwrite=True, dry_run=True)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(TagError, match="is not a file; "):
        write_key(tmp_path, "Am")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a.mp3")
        with pytest.raises(TagError, match="is not a file; "):
            key_texts(tmp_path / "a.mp3")


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="needs statvfs to know a read-only file system")
def test_read_only_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, "a.flac")
    flags = os.statvfs_result((*os.statvfs(path)[:8], os.ST_RDONLY, 255))
    monkeypatch.setattr("tfkey.tags.replacing.os.statvfs", lambda _: flags)
    assert "like its whole file system" in complaint(path, "Am")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room on its disk"),
        (errno.EDQUOT, "within your quota"),
        (errno.EACCES, "allow writing to its folder"),
        (errno.EIO, "check its disk"),
    ],
)
def test_what_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    path = make(tmp_path, "a.flac")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    for step in ("shutil.copyfile", "os.replace", "tempfile.mkstemp"):
        with monkeypatch.context() as patched:
            patched.setattr(f"tfkey.tags.replacing.{step}", fails)
            text = complaint(path, "Am")
        assert f"cannot be tagged ({os.strerror(number)})" in text
        assert remedy in text


def test_files_that_cannot_be_tagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, "a.flac")
    path.chmod(0o444)
    assert "read-only" in complaint(path, "Am")
    assert "read-only" in complaint(path, "Am", dry_run=True)
    path.chmod(0o644)
    encode(tmp_path / "a.mka", "flac", chord(0.2, channels=2), container="matroska")
    assert "no supported key tag" in complaint(tmp_path / "a.mka", "Am")
    assert "cannot be read" in complaint(tmp_path / "gone.mp3", "Am")
    (tmp_path / "bad.flac").write_bytes(b"fLaC" + bytes(50))
    assert "cannot be read" in complaint(tmp_path / "bad.flac", "Am")

    def edited_meanwhile(source: Path, target: Path, **_: Any) -> None:
        target.write_bytes(source.read_bytes())
        os.utime(path, (1, 1))

    monkeypatch.setattr("tfkey.tags.replacing.shutil.copyfile", edited_meanwhile)
    assert "changed by someone else" in complaint(path, "Am")

    def removed_meanwhile(source: Path, target: Path, **_: Any) -> None:
        target.write_bytes(source.read_bytes())
        source.unlink()

    monkeypatch.setattr("tfkey.tags.replacing.shutil.copyfile", removed_meanwhile)
    with pytest.raises(TagError, match="cannot be tagged"):
        write_key(path, "Am")
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on processes")
@pytest.mark.parametrize("kind", ["a.mp3 3", "a.m4a"])
def test_full_disk_leaves_the_file_whole(tmp_path: Path, kind: str) -> None:
    import resource

    path = make(tmp_path, kind)
    before = path.read_bytes()
    script = """
import signal, sys
from pathlib import Path
from tfkey.tags.key_tags import write_key
write_key(Path(sys.argv[1]), "Am")
"""
    for room in (1000, len(before) + 1):
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, preexec_fn=limit,
            cwd=Path(__file__).parents[3], check=False,
        )  # fmt: skip
        if room == 1000:
            assert done.returncode == 1
            assert f"TagError: {path}: cannot be tagged (File too large)" in done.stderr
        assert path.read_bytes() == before or stated(path) == ["Am"]
        assert not list(tmp_path.glob(".tfkey-*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork")
@pytest.mark.parametrize("kind", ["a.mp3 3", "a.flac", "a.m4a"])
def test_kill_at_any_moment_leaves_the_old_file_or_the_new(tmp_path: Path, kind: str) -> None:
    music = tmp_path / "music"
    music.mkdir()
    path = make(music, kind)
    before = path.read_bytes()
    expected = content(path)
    work = functools.partial(write_key, path, "Am")
    key_texts(path)
    moment, seen = 0, set()
    while True:
        moment += 1
        path.write_bytes(before)
        finished = in_fork(work, music, moment, tmp_path) is not None
        if path.read_bytes() == before:
            seen.add("old")
        else:
            seen.add("new")
            assert stated(path) == ["Am"]
            assert content(path) == expected
        if finished:
            break
    assert moment > 5
    assert seen == {"old", "new"}
    # What is left is hidden.
    assert all(item.name.startswith(".tfkey-") for item in music.iterdir() if item != path)
