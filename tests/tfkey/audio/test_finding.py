from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from tfkey.audio.finding import find_audio, identity, list_files, read_playlist


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def test_find_audio_goes_deep_and_leaves_out_what_is_hidden(tmp_path: Path) -> None:
    names = ["b.MP3", "a.wav", "deep/er/c.flac", "deep/d.Opus", "deep.er/e.m4a", "z.aif", "film.mkv"]
    others = [".hidden.wav", "._b.mp3", ".trash/x.wav", "deep/.git/y.ogg", "notes.txt", "mp3", "cover.png"]
    touch(tmp_path, *names, *others, "list.m3u")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    assert find_audio(tmp_path) == sorted(tmp_path / name for name in names)
    # The folder that was asked for may itself be hidden.
    assert [path.name for path in find_audio(tmp_path / ".trash")] == ["x.wav"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "music/a/1.wav", "music/b/2.wav", "elsewhere/3.wav")
    music = tmp_path / "music"
    (music / "a" / "up").symlink_to(music)
    (music / "a" / "self").symlink_to("self")
    (music / "b" / "loop.wav").symlink_to("loop.wav")
    (music / "c").symlink_to(tmp_path / "elsewhere")
    (music / "d").symlink_to(tmp_path / "elsewhere")
    (music / "again.wav").symlink_to(music / "a" / "1.wav")
    expected = [music / name for name in ("a/1.wav", "again.wav", "b/2.wav", "c/3.wav")]
    assert find_audio(music) == expected
    # Two names of one file: it is one recording.
    listing = list_files([music, tmp_path / "elsewhere" / "3.wav", music / "a" / ".." / "b" / "2.wav"])
    assert listing.files == [path for path in expected if path.name != "again.wav"]
    assert listing.failures == []


def test_paths_stand_for_what_is_there_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.wav", "b.txt", "m/c.wav")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    names = ["m", "b.txt", "missing.wav", "a.wav", "./a.wav", str(tmp_path / "a.wav"), "empty", "x" * 300]
    listing = list_files(map(Path, names))
    # What is not there by now may be later; who judges it says so.
    assert listing.files == [Path(name) for name in ("m/c.wav", "b.txt", "missing.wav", "a.wav")]
    assert [name for name, _ in listing.failures] == ["empty", "x" * 300]
    assert "contains no audio files" in listing.failures[0][1]
    assert "cannot be opened" in listing.failures[1][1]


def test_relative_names_are_of_the_folder_that_is_current_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert identity(Path("a.wav")) == str(tmp_path.resolve() / name / "a.wav")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_playlist_of_every_spelling(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Café.mp3")
    raw = os.fsdecode(b"Z\xfcrich \xff.mp3")
    files = touch(
        tmp_path, "björk.mp3", "深い/夢.mp3", decomposed, raw, "sub/x y.mp3", "sub/z.wav", "# odd.wav"
    )
    lists = tmp_path / "lists"
    (lists / "more").mkdir(parents=True)
    lines = [
        b"\xef\xbb\xbf#EXTM3U",
        b"#EXTINF:123,Bj\xf6rk - Song",
        "../björk.mp3".encode("latin-1"),
        "../深い/夢.mp3".encode(),
        b"",
        "  ../Café.mp3 ".encode(),
        b"../" + os.fsencode(raw),
        b"..\\sub\\x y.mp3",
        b"file://" + os.fsencode(tmp_path) + b"/sub/z.wav",
        b"../%s" % b"# odd.wav",
        b"more/inner.m3u8",
        b"gone.mp3",
    ]
    (lists / "all.m3u").write_bytes(b"\r\n".join(lines))
    # A circle of lists; and what is not UTF-8 nor there is read as Windows-1252.
    (lists / "more" / "inner.m3u8").write_text("../all.m3u\n../../björk.mp3\nnur im Süden.ogg\n", "cp1252")
    listing = list_files([lists / "all.m3u"])
    found = [Path(os.path.normpath(path)) for path in listing.files]
    assert found == [*files, lists / "more" / "nur im Süden.ogg", lists / "gone.mp3"]
    assert listing.failures == []


def test_playlists_that_hold_no_files(tmp_path: Path) -> None:
    (tmp_path / "net.m3u").write_text("http://radio.example/stream.mp3\n")
    (tmp_path / "none.m3u8").write_text("#EXTM3U\n\n")
    listing = list_files([tmp_path / name for name in ("net.m3u", "none.m3u8", "missing.m3u")])
    assert listing.files == []
    for (name, reason), words in zip(
        listing.failures, ("not a file", "empty playlist", "No such file"), strict=True
    ):
        assert words in reason, name
    assert read_playlist(tmp_path / "none.m3u8") == []
