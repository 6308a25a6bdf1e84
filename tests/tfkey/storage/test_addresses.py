"""Which texts are paths elsewhere, what they become, and what is shown of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tfkey.errors import UsageError
from tfkey.storage import is_remote, located, redacted, scheme_of, shown, suffix_of
from tfkey.storage.addresses import _wrong_with


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("s3://bucket/a.flac", "s3"),
        ("S3://bucket/a.flac", "s3"),
        ("https://example.org/a.mp3?x=1", "https"),
        ("memory://a", "memory"),
        ("a.flac", None),
        ("/music/a.flac", None),
        ("s3:/bucket/a.flac", None),
        ("C:/music/a.flac", None),
        ("C://music/a.flac", None),
        ("file:///music/a.flac", None),
        ("music/s3://bucket", None),
        ("", None),
        (Path("s3://bucket/a.flac"), None),
    ],
)
def test_schemes(text: str | Path, scheme: str | None) -> None:
    assert scheme_of(text) == scheme
    assert is_remote(text) == (scheme is not None)


def test_local_texts_become_local_paths() -> None:
    assert located("music/a.flac") == Path("music/a.flac")
    assert located(Path("music/a.flac")) == Path("music/a.flac")
    assert located("file:///music/a%20b.flac") == Path("/music/a b.flac")


def test_a_path_elsewhere_has_the_methods_of_a_path() -> None:
    path = located("S3://bucket/music/a b.flac")
    assert (str(path), path.name, path.suffix) == ("s3://bucket/music/a b.flac", "a b.flac", ".flac")
    assert str(path.parent / "b.flac") == "s3://bucket/music/b.flac"
    assert is_remote(path)
    assert located(path) is path
    assert path == located("s3://bucket/music/a b.flac")
    assert len({path, located("s3://bucket/music/a b.flac")}) == 1


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("https://example.org/a.mp3?token=b.c", ".mp3"),
        ("https://example.org/a.mp3#t=1.5", ".mp3"),
        ("s3://bucket/a.b.flac", ".flac"),
        ("s3://bucket/what?.flac", ".flac"),
        ("s3://bucket/a", ""),
    ],
)
def test_suffixes(text: str, suffix: str) -> None:
    assert suffix_of(located(text)) == suffix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pass@example.org/a.mp3", "https://example.org/a.mp3"),
        ("https://example.org/@artist/a.mp3", "https://example.org/@artist/a.mp3"),
        ("s3://bucket/a@b.flac", "s3://bucket/a@b.flac"),
        ("https://e.org/a?id=3&X-Amz-Signature=abc&n=1", "https://e.org/a?id=3&X-Amz-Signature=...&n=1"),
        ("https://e.org/a?sig=a%2Fb", "https://e.org/a?sig=..."),
        ("https://e.org/a?design=3&monkey=4", "https://e.org/a?design=3&monkey=4"),
        ("ssh://me:p@h/x: no; see https://u:p@e.org/y", "ssh://h/x: no; see https://e.org/y"),
    ],
)
def test_credentials_are_not_shown(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert shown(text) == expected


def test_a_local_name_is_shown_as_it_is() -> None:
    assert shown("a://b@c") == "a://b@c"
    assert shown(Path("x/s3://user@host")) == "x/s3:/user@host"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope://u:p@b/k", r"nope://b/k: fsspec does not know the scheme nope://; use another, such as s3://, gs://.*"),
        ("gs://b/k", r"gs://b/k: gs:// needs gcsfs, which is not installed; pip install gcsfs"),
        ("hdfs://h/k", r"hdfs://h/k: hdfs:// needs pyarrow, which is not installed; pip install pyarrow"),
        (
            "s3://b/k",
            r"s3://b/k: s3:// needs s3fs, which is not installed; pip install 'tfkey\[remote\]'",
        ),
    ],
)  # fmt: skip
def test_what_a_scheme_lacks(monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    find = importlib.util.find_spec
    missing = {"gcsfs", "pyarrow", "s3fs"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    _wrong_with.cache_clear()
    try:
        with pytest.raises(UsageError, match=f"^{message}$"):
            located(text)
    finally:
        _wrong_with.cache_clear()


def test_without_the_extra_local_paths_work_and_others_name_it() -> None:
    code = (
        "import sys\n"
        "for name in ('fsspec', 'upath', 's3fs', 'aiohttp'): sys.modules[name] = None\n"
        "from tfkey.storage import located, fetched\n"
        "from tfkey.errors import UsageError\n"
        "with fetched(located('a.flac')) as path: print(path)\n"
        "try: located('s3://b/k')\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "a.flac",
        "s3://b/k: storage elsewhere needs the extra remote; pip install 'tfkey[remote]'",
    ]


def test_local_work_does_not_import_fsspec(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tfkey.files import write_text\n"
        "from tfkey.storage import located\n"
        f"write_text(located({str(tmp_path / 'a.txt')!r}), 'a')\n"
        "print(sorted({'fsspec', 'upath', 's3fs', 'aiohttp'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
