"""``tfkey predict --shard-size`` with results elsewhere: the parts are those of a local run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.media import chord
from tests.object_store import Fault, ObjectStore
from tests.scripts.test_predict import at_once  # noqa: F401
from tfkey.storage import alone_at, located

OPTIONS = ("--format", "csv", "--shard-size", "2")


@pytest.fixture
def music(tmp_path: Path, at_once: None) -> list[Path]:  # noqa: F811
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(5):
        soundfile.write(folder / f"{number}.wav", chord(1), 22050)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("place", ["out", "out/", "deep/er/out"])
def test_parts_are_continued_and_those_of_a_local_run(
    tfkey: Any, music: list[Path], tmp_path: Path, object_store: ObjectStore, place: str
) -> None:
    here = tmp_path / "parts"
    assert tfkey("predict", *music, "gone.wav", "--output", here, *OPTIONS)[0] == 1
    there = object_store.url(place)
    # The first part is whole, and the second is not.
    assert tfkey("predict", *music[:3], "--output", there, *OPTIONS)[0] == 0
    code, _, err = tfkey("predict", *music, "--output", there, *OPTIONS)
    assert (code, len(err)) == (2, 1)
    assert "has parts of an earlier run" in err[0]
    object_store.fail(Fault(status=503), "*part-00001.csv", "PUT")
    code, _, err = tfkey("predict", *music, "gone.wav", "--output", there, "--skip-existing", *OPTIONS)
    assert (code, object_store.unused) == (1, 0)
    assert "2 analysed, 3 skipped" in err
    top = place.rstrip("/")
    assert object_store.contents() == {
        f"{top}/{path.name}": path.read_bytes() for path in here.iterdir() if path.name != ".lock"
    }
    writes = [one for one in object_store.requests if one.method == "PUT" and "part-00000" in one.path]
    assert len(writes) == 1
    # An old list of failures is replaced when nothing fails any more.
    assert tfkey("predict", *music, "--output", there, "--skip-existing", *OPTIONS)[0] == 0
    assert object_store.read(f"{top}/failures.csv") == b"file,reason\n"


def test_places_that_cannot_take_parts(tfkey: Any, music: list[Path], object_store: ObjectStore) -> None:
    object_store.write("file", b"?")
    url = object_store.url("file")
    assert tfkey("predict", *music, "--output", url, *OPTIONS)[::2] == (
        2, [f"tfkey: --output {url}: is a file; with --shard-size, name a folder"],
    )  # fmt: skip
    code, _, err = tfkey("predict", *music, "--output", "https://host/out", *OPTIONS)
    assert code == 2
    assert "a web server cannot be written to" in err[0]
    with alone_at(located(object_store.url("taken")) / "parts"):
        code, _, err = tfkey("predict", *music, "--output", object_store.url("taken"), *OPTIONS)
    assert code == 1
    assert "wait until it ends" in err[0]
