from __future__ import annotations

from pathlib import Path

import pytest

from tfkey.errors import DataError
from tfkey.key_tables import find_file, parse_key, read_rows
from tfkey.keys import Key

NAMES, KEYS = ("path", "file", "track"), ("key",)

# In every one of them, song.wav is in A minor.
DIALECTS = {
    "plain": b"file,key\nsong.wav,A minor\n",
    "byte order mark": b"\xef\xbb\xbffile,key\nsong.wav,A minor\n",
    "UTF-16": "file\tkey\r\nsong.wav\tA minor\r\n".encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + "file,key\nsong.wav,A minor\n".encode("utf-16-be"),
    "semicolons": b"file;key\nsong.wav;A minor\n",
    "tabs": b"file\tkey\nsong.wav\tA minor\n",
    "sep=": b"sep=;\r\nfile;key\r\nsong.wav;A minor\r\n",
    "sep= behind a mark": b'\xef\xbb\xbf"sep=|"\nfile|key\nsong.wav|A minor\n',
    "upper case": b"FILE,Key\nsong.wav,A minor\n",
    "path": b"path,key\nsong.wav,A minor\n",
    "track": b"track,key\nsong.wav,A minor\n",
    "blanks": b" file , key \n song.wav , A minor \n",
    "blanks before quotes": b'file, key\n"song.wav", "A minor"\n',
    "quotes": b'"file","key"\n"song.wav","A minor"\n',
    "other delimiters in the header": b'"title; or what, ever",file,key\na;b;c,song.wav,A minor\n',
    "line ends of Windows": b"file,key\r\nsong.wav,A minor\r\n",
    "line ends of old Macs": b"file,key\rsong.wav,A minor\r",
    "no last line end": b"file,key\nsong.wav,A minor",
    "blank lines": b"\n;;\nfile;key\n\n;\nsong.wav;A minor\n;;;\n",
    "tonic and mode": b"file,tonic,mode\nsong.wav,A,minor\n",
    "tonic and mode fill an empty key": b"file,key,tonic,mode\nsong.wav,,A,minor\n",
    "with a folder": b"file,key\n./song.wav,A minor\n",
    "another spelling": b"file,key\nsong.wav,8A\n",
    "more columns": b"artist,file,bpm,key,note\nX,song.wav,120,A minor\n",
}


def rows(tmp_path: Path, content: bytes, names=NAMES, keys=KEYS):
    path = tmp_path / "keys.csv"
    path.write_bytes(content)
    return read_rows(path, names, keys)


@pytest.mark.parametrize("content", DIALECTS.values(), ids=list(DIALECTS))
def test_dialects(content: bytes, tmp_path: Path) -> None:
    (row,) = rows(tmp_path, content)
    assert row.name.strip().removeprefix("./") == "song.wav"
    assert parse_key(tmp_path, row.line, row.key_text) == Key.parse("A minor")
    (tmp_path / "song.wav").touch()
    assert find_file(row.names, tmp_path) == tmp_path / "song.wav"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"columns path \(or file or track\) and key \(or tonic and mode\) \(found: ''\)"),
        (b"name,tone\na,b\n", r"\(found: 'name,tone'\)"),
        (b"file,tonic\na,A\n", r"columns .* \(or tonic and mode\)"),
        (b"file,key,KEY\na,A,B\n", "the column key twice"),
        (
            b"file,key\ns\xf6ng.wav,A minor\n",
            "line 2: is not text in UTF-8 or UTF-16; save it as CSV in UTF-8",
        ),
        (b"file,key,title\na,A minor,s\xf6ng\n", "line 2: is not text in UTF-8"),
        (b"T\xeftel,file,key\nx,a.wav,A minor\n", None),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xff", "is not text in UTF-8"),
        ("file,key\na.wav,C\n".encode("utf-16-le"), "is not text in UTF-8"),
        (b"\xff\xfef", "is not text in UTF-8"),
        (b'file,key\nb.wav,C\n"a.wav,C\n', r"line 3: is not CSV \(.*check the quotes in this line"),
        (b'file,key\n"a" b.wav,C\n', "line 2: is not CSV"),
    ],
)
def test_what_is_no_such_table(content: bytes, words: str | None, tmp_path: Path) -> None:
    if words is None:
        # A name of a column that is not needed does no harm.
        assert rows(tmp_path, content)[0].name == "a.wav"
        return
    with pytest.raises(DataError, match=words) as caught:
        rows(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "keys.csv"))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataError, match=r"cannot be read \(.*\); give a readable CSV file"):
            read_rows(path, NAMES, KEYS)


def test_bytes_that_are_no_text_may_name_a_file(tmp_path: Path) -> None:
    """As in the CSV that ``tfkey predict --output`` writes."""
    name = b"s\xf6ng.wav".decode("utf-8", "surrogateescape")
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("file names are text here")
    (row,) = rows(tmp_path, b"file,key\ns\xf6ng.wav,A minor\n")
    assert find_file(row.names, tmp_path) == tmp_path / name


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    found = rows(tmp_path, b'sep=;\nfile;key\n\n"two\nlines";C\nb.wav;D\n')
    assert [(row.line, row.name) for row in found] == [(5, "two\nlines"), (6, "b.wav")]


@pytest.mark.parametrize(
    ("names", "keys", "name", "key"),
    [
        (("path", "file", "track"), ("key",), "p", "C"),
        (("file", "path", "track"), ("reference", "key"), "f", "E"),
        (("track",), ("estimate", "key"), "7", "D"),
    ],
)
def test_columns_by_preference(names, keys, name: str, key: str, tmp_path: Path) -> None:
    table = b"track,path,key,file,estimate,reference\n7,p,C,f,D,E\n8,,F,,,\n"
    first, second = rows(tmp_path, table, names, keys)
    assert (first.name, first.key_text) == (name, key)
    # A row is named by what it fills; its key is in one column, or not at all.
    assert (second.names, second.key_text) == (("8",), "F" if keys[0] == "key" else "")


@pytest.mark.parametrize("text", ["", "-", "X", "o", "None", "no key", " N/A ", "#N/A", "nan", "Unknown"])
def test_texts_that_state_no_key(text: str, tmp_path: Path) -> None:
    assert parse_key(tmp_path, 3, text) is None


def test_a_key_that_is_not_understood_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"keys\.csv, line 3: 'H-flat' is not a key; write a key like"):
        parse_key(tmp_path / "keys.csv", 3, "H-flat")
    # A tonic whose mode is not known is not a major key.
    (row,) = rows(tmp_path, b"file,tonic,mode\na.wav,A,\n")
    with pytest.raises(DataError, match="'A without a mode' is not a key"):
        parse_key(tmp_path, row.line, row.key_text)


def test_files_are_found_from_the_table_and_from_here(tmp_path: Path, monkeypatch) -> None:
    table, here = tmp_path / "table", tmp_path / "here"
    for path in (table / "a.wav", here / "a.wav", here / "sub" / "b.wav", table / "na\u00efve.wav"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(here)
    for name, expected in {
        "a.wav": table / "a.wav",
        "  a.wav ": table / "a.wav",
        "sub/b.wav": here / "sub" / "b.wav",
        "sub\\b.wav": here / "sub" / "b.wav",
        str(here / "a.wav"): here / "a.wav",
        "nai\u0308ve.wav": table / "na\u00efve.wav",
    }.items():
        found = find_file([name], table)
        assert found is not None
        assert found.samefile(expected)
    for name in ("", "b.wav", "sub", "x" * 5000, "a\0.wav"):
        assert find_file([name], table) is None
