from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfkey.errors import DataError
from tfkey.keys import Key
from tfkey.known_keys import find_known, read_known_keys

NAMES = ("file", "path", "track")
A_MINOR, C_MAJOR = Key.parse("A minor"), Key.parse("C major")


@pytest.fixture
def known(tmp_path: Path, monkeypatch):
    """Looks files up in a table in ``tmp_path/lists``; the current folder is ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    for name in ("x/a.wav", "y/a.wav", "x/b.flac", "lists/c.wav", "y/c.wav", "y/d.LOFI.mp3", "y/e.mp3"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()

    def find(table: str, *files: str):
        path = Path("lists", "keys.csv")
        path.write_text(table, encoding="utf-8")
        return find_known(read_known_keys(path, NAMES), [Path(name) for name in files])

    return find


@pytest.mark.parametrize(
    ("table", "files", "found", "unused"),
    [
        # Two files of one name are told apart: from the current folder, from the table's, absolute.
        ("file,key\nx/a.wav,Am\ny/a.wav,C\n", ["x/a.wav", "y/a.wav"], {0: A_MINOR, 1: C_MAJOR}, 0),
        ("file,key\n../x/a.wav,Am\n", ["y/a.wav", "x/a.wav"], {1: A_MINOR}, 0),
        ("file,key\n{here}/y/a.wav,Am\n", ["x/a.wav", "y/a.wav"], {1: A_MINOR}, 0),
        ("file,key\nc.wav,Am\n", ["y/c.wav", "lists/c.wav"], {1: A_MINOR}, 0),
        ("file,key\n/old disk/y/a.wav,Am\n", ["x/a.wav", "y/a.wav"], None, None),
        ("file,key\ny/a.wav,Am\n", ["x/../y/a.wav"], {0: A_MINOR}, 0),
        ("file,path,key\na.wav,x/a.wav,Am\na.wav,y/a.wav,C\n", ["y/a.wav", "x/a.wav"],
         {1: A_MINOR, 0: C_MAJOR}, 0),
        # By the end of the path, when the table was made elsewhere.
        ("file,key\nlists/c.wav,Am\n", ["y/c.wav", "lists/c.wav"], {1: A_MINOR}, 0),
        # By name.
        ("file,key\nb.flac,Am\n", ["x/a.wav", "x/b.flac"], {1: A_MINOR}, 0),
        ("file,key\nC:\\music\\b.flac,Am\n", ["x/b.flac"], {0: A_MINOR}, 0),
        ("file,key\ngone/b.flac,Am\n", ["x/b.flac"], {0: A_MINOR}, 0),
        ("track,reference,estimate\nmine/e,Am,C\nmine/d.LOFI,C,C\n", ["y/e.mp3", "y/d.LOFI.mp3"],
         {0: A_MINOR, 1: C_MAJOR}, 0),
        # Not by the name of a file that is there, and is another.
        ("file,key\nx/a.wav,Am\ny/c.wav,C\n", ["y/a.wav", "y/c.wav"], {1: C_MAJOR}, 1),
        # Not by a row whose own file is judged, too.
        ("file,key\nx/a.wav,Am\n", ["x/a.wav", "y/a.wav"], {0: A_MINOR}, 0),
        # Not in another encoding.
        ("file,key\ne.wav,Am\nb.flac,C\n", ["y/e.mp3", "x/b.flac"], {1: C_MAJOR}, 1),
        # Twice the same is no doubt.
        ("file,key\nx/b.flac,Am\nb.flac,8A\n", ["x/b.flac"], {0: A_MINOR}, 1),
        ("file,key\nx/b.flac,Am\n./x/b.flac,8A\n", ["x/b.flac"], {0: A_MINOR}, 0),
        ("file,key\nb.flac,Am\nb.flac,8A\n", ["x/b.flac"], {0: A_MINOR}, 0),
    ],
)  # fmt: skip
def test_rows_find_their_files(table, files, found, unused, known, tmp_path: Path) -> None:
    table = table.replace("{here}", str(tmp_path))
    if found is None:
        with pytest.raises(DataError, match=r"line 2: .* may be x/a.wav or y/a.wav; write its full path"):
            known(table, *files)
        return
    result = known(table, *files)
    assert result.keys == {Path(files[number]): key for number, key in found.items()}
    assert result.unused == unused


@pytest.mark.parametrize(
    ("table", "files", "words"),
    [
        ("file,key\na.wav,Am\n", ["x/a.wav", "y/a.wav"], r"line 2: 'a.wav' may be x/a.wav or y/a.wav"),
        ("file,key\nx/b.flac,Am\n../x/b.flac,C\n", ["x/b.flac"],
         r"x/b.flac has the key A minor in line 2 \('x/b.flac'\) and C major in line 3"),
        ("file,key\no/b.flac,Am\np/b.flac,C\n", ["x/b.flac"], r"A minor in line 2 \('o/b.flac'\)"),
        ("file,key\nq.wav,Am\nr.wav,C\n", ["x/a.wav", "x/b.flac"],
         r"no row matches any of the files; looked for q.wav, r.wav among x/a.wav, x/b.flac; write paths "
         r"relative to lists or to the current folder"),
        ("file,start,end,key\nx/b.flac,0,9,Am\nx/b.flac,9,20,C\n", ["x/b.flac"], "delete the wrong one"),
    ],
)  # fmt: skip
def test_doubt_is_an_error(table, files, words: str, known) -> None:
    with pytest.raises(DataError, match=words) as caught:
        known(table, *files)
    assert str(caught.value).startswith(os.path.join("lists", "keys.csv"))


def test_rows_without_a_key_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    path.write_text("file,key\na.wav,Am\nb.wav,\n,C\nc.wav,-\n\n")
    found = read_known_keys(path, NAMES)
    assert [(row.line, row.names, row.key) for row in found.rows] == [(2, ("a.wav",), A_MINOR)]
    assert found.left_out == 3
    path.write_text("file,key\na.wav,\n")
    with pytest.raises(DataError, match="none of its 1 rows has both a file and a key"):
        read_known_keys(path, NAMES)
    path.write_text("file,key\na.wav,\nb.wav,H-flat\n")
    with pytest.raises(DataError, match="line 3: 'H-flat' is not a key"):
        read_known_keys(path, NAMES)
