"""Tables that name audio by signed URLs, whose signature is another every time, and secret."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.prepare.prepare import prepare
from tests.conftest import contents
from tfkey.config import Config

VOTE = " ".join(["0.5", "0.5", *["0"] * 22])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tracks: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tracks)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("header", "end"), [("path,key", ",C major"), ("path,voter", f",{VOTE}")], ids=["keys", "votes"]
)
def test_signatures_are_neither_written_nor_a_reason_to_do_work_again(
    server: str, tracks: Path, make_config: Callable[..., Config], tmp_path: Path, header: str, end: str
) -> None:
    config, table = make_config(mode="audio"), tmp_path / "songs.csv"
    names = [path.relative_to(tracks).as_posix() for path in sorted(tracks.rglob("*.wav"))[:2]]

    def prepared(signature: str) -> tuple[int, Path]:
        urls = [f"{server}/{name}?X-Amz-Signature={signature}{end}\n" for name in [*names, "gone.wav"]]
        table.write_text(f"{header}\n{''.join(urls)}")
        summary = prepare(config, "signed", source=table)
        assert signature not in str(summary.left_out)
        assert summary.tracks == 2
        return summary.fresh, summary.folder

    fresh, folder = prepared("secret-1")
    found = contents(folder)
    assert fresh == 2
    # The journal, too.
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not [name for name, content in files.items() if "secret" in name or b"secret" in content]
    assert prepared("secret-2") == (0, folder)
    assert contents(folder) == found
