"""The command among pipes, closed streams, devices, and names in any bytes, in processes of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import soundfile

from scripts.streams import path_of_name
from tests.conftest import ROOT
from tests.media import chord

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="POSIX streams, and names of any bytes")

COMMAND = [sys.executable, "-c", "from scripts.main import main; main()"]
NAMES = [
    b"plain.wav",
    "Björk – Jóga.wav".encode(),
    "Bjo\u0308rk.wav".encode(),
    b"mod\xe0 - la notte.wav",
    b"\xff\xfe\x80.wav",
    b"two\nlines.wav",
    b"return\rhere.wav",
    b"tab\tand \x1b[31mcolour.wav",
    b'say "no", please;.wav',
    "line\u2028separator \x85.wav".encode(),
    b" -leading and trailing.wav ",
    "夢🎵.wav".encode(),
]
LOCALES: dict[str, dict[str, str]] = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "C": {"LC_ALL": "C"},
    "no locale": {},
    "absent": {"LC_ALL": "tlh_QO.UTF-8"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"},
    "strict ASCII": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii:strict", "PYTHONUNBUFFERED": "1"},
    "UTF-16": {"LANG": "C", "PYTHONIOENCODING": "utf-16", "PYTHONUTF8": "1"},
}


def call(*arguments, redirect: str = "", locale: str = "UTF-8", **options) -> subprocess.CompletedProcess:
    """The command, with the redirections of a shell; output as bytes."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", *COMMAND, *arguments],
        capture_output=True, check=False, timeout=120,
        env={**inherited, **LOCALES[locale], "PYTHONPATH": str(ROOT)}, **options,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")
    assert b"Exception ignored" not in done.stderr
    return done


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short recording, in the folder that is current."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", chord(1), 44100)
    return Path("song.wav")


@pytest.fixture
def odd(song: Path) -> list[bytes]:
    """Files in a folder ``odd``. One of them, whose suffix is not audio, is missing, so that it fails."""
    os.mkdir("odd")
    for name in NAMES:
        if name.endswith(b".wav"):
            shutil.copy(song, os.path.join(b"odd", name))
    return [b"odd/" + name for name in NAMES]


def names_in(content: bytes, kind: str) -> list[bytes]:
    text = content.decode("utf-8", "surrogateescape")
    if kind == "csv":
        names = [row["file"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    elif kind == "json":
        names = [record["file"] for record in json.loads(text)]
    else:
        names = [json.loads(line)["file"] for line in text.splitlines()]
    return [os.fsencode(path_of_name(name)) for name in names]


@pytest.mark.parametrize("locale", LOCALES)
def test_names_in_any_bytes_in_every_locale(odd: list[bytes], locale: str) -> None:
    """A list on stdin, results on stdout or in a file, failures on stderr: bytes leave as they came."""
    kind = ("csv", "json", "jsonl")[list(LOCALES).index(locale) % 3]
    # Another locale has to find them again.
    reader = {"UTF-8": "ASCII", "ASCII": "Latin-1", "absent": "UTF-8"}.get(locale)
    listed = b"\0".join(odd)
    # One worker: the start of a second one takes as long as the work.
    predict = ("predict", "-", "--null", "--workers", "1")
    done = call(*predict, "--format", kind, locale=locale, input=listed)
    assert done.returncode == 1
    *found, missing = odd[:-2] + odd[-1:] + odd[-2:-1]
    assert names_in(done.stdout, kind) == found
    assert b"not analysed (1):\n  " + missing + b": no such file" in done.stderr
    if kind == "csv":
        assert b"\nodd/mod\xe0 - la notte.wav,C major," in done.stdout
    again = call(*predict, "--output", f"keys.{kind}", locale=locale, input=listed)
    assert Path(f"keys.{kind}").read_bytes() == done.stdout
    assert again.stdout == b""
    if reader is not None:
        kept = ("--output", f"keys.{kind}", "--skip-existing")
        done = call(*predict, *kept, locale=reader, input=listed)
        assert b"\n0 analysed, 11 skipped\n" in b"\n" + done.stderr


@pytest.mark.parametrize("locale", ["UTF-8", "ASCII"])
def test_table_has_a_line_for_each_name(odd: list[bytes], locale: str) -> None:
    done = call("predict", "odd", locale=locale)
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + len(odd) - 1
    assert any(line.endswith("odd/Björk – Jóga.wav".encode()) for line in lines)
    assert any(line.endswith(b"odd/mod\xe0 - la notte.wav") for line in lines)
    assert any(line.endswith(rb"odd/two\nlines.wav") for line in lines)
    assert any(line.endswith(rb"odd/tab\tand \x1b[31mcolour.wav") for line in lines)


def test_names_on_a_terminal(odd: list[bytes]) -> None:
    import pty

    near, far = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "predict", "odd"], stdout=far, stderr=far, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    os.close(far)
    seen = b""
    while True:
        try:
            part = os.read(near, 1 << 16)
        except OSError:
            break
        seen += part
    os.close(near)
    assert process.wait(60) == 0
    assert b"odd/mod\xe0 - la notte.wav\r\n" in seen
    assert b"Traceback" not in seen


LISTS = {
    "CR LF": (b"song.wav\r\n", ()),
    "BOM": (b"\xef\xbb\xbfsong.wav\n", ()),
    "BOM and NUL": (b"\xef\xbb\xbfsong.wav\0", ("--null",)),
    "UTF-16": ("song.wav\r\n".encode("utf-16"), ()),
    "UTF-16 without a mark": ("song.wav\nsong.wav\n".encode("utf-16-be"), ()),
    "UTF-32": ("song.wav\n".encode("utf-32"), ()),
    "without an end": (b"song.wav", ()),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_on_stdin(song: Path, name: str) -> None:
    content, options = LISTS[name]
    done = call("predict", "-", *options, "--format", "csv", input=content)
    assert done.returncode == 0
    assert names_in(done.stdout, "csv") == [b"song.wav"]


NO_LISTS = {
    "NUL": (b"song.wav\0other.wav\0", (), b"--null"),
    "audio": (None, (), b"looks like audio"),
    "audio and --null": (None, ("--null",), b"looks like audio"),
    "binary": (bytes(range(256)) * 16, (), b"--null"),
    "binary without NUL": (bytes(range(1, 256)) * 16, (), b"binary data"),
}


@pytest.mark.parametrize("name", NO_LISTS)
def test_stdin_that_is_no_list(song: Path, name: str) -> None:
    content, options, words = NO_LISTS[name]
    done = call("predict", "-", *options, input=song.read_bytes() if content is None else content)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.splitlines()
    assert words in line
    assert b"stdin" in line


def test_empty_list_is_no_error(song: Path) -> None:
    for content in (b"", b"\n\n"):
        done = call("predict", "-", "--format", "json", input=content)
        assert (done.returncode, done.stdout) == (0, b"[]\n")
        assert done.stderr == b"the list on stdin is empty\n"


# What is redirected: exit code, and how many lines are on stdout and stderr.
STREAMS = {
    "<&-": (0, 2, 1),
    "2>&-": (0, 2, 0),
    "2>/dev/full": (0, 2, 0),
    ">&-": (1, 0, 1),
    ">/dev/full": (1, 0, 2),
    "1<song.wav": (1, 0, 2),
    "<&- 2>&-": (0, 2, 0),
    "<&- >&- 2>&-": (1, 0, 0),
}


@pytest.mark.parametrize("redirect", STREAMS)
def test_streams_that_are_closed_or_full(song: Path, redirect: str) -> None:
    before = song.read_bytes()
    code, out, err = STREAMS[redirect]
    done = call("predict", song, redirect=redirect)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr.count(b"\n")) == (code, out, err)
    # What has another place to go, goes there, and nowhere else.
    done = call("predict", song, "--output", "keys.csv", redirect=redirect)
    assert done.returncode == 0
    assert names_in(Path("keys.csv").read_bytes(), "csv") == [b"song.wav"]
    assert song.read_bytes() == before
    assert sorted(os.listdir()) == ["keys.csv", "song.wav"]


def test_stdout_that_does_not_block() -> None:
    """Another program that shares a pipe may have made it so; what has no room waits, and nothing is lost."""
    script = (
        "import os, click; from scripts.streams import prepare_streams, write_results\n"
        "os.set_blocking(1, False); prepare_streams()\n"
        "for number in range(3000): write_results(f'{number:0100d}\\n')\n"
        "click.echo('x' * 300_000)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    # Its reader comes late.
    assert process.stdout.read(1) == b"0"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    content = b"0" + process.stdout.read()
    assert process.wait(60) == 0
    lines = content.decode().splitlines()
    assert [int(line) for line in lines[:-1]] == list(range(3000))
    assert lines[-1] == "x" * 300_000


def test_closed_stdin_where_a_list_is_expected(song: Path) -> None:
    done = call("predict", "-", redirect="<&-")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"stdin is closed" in done.stderr


def test_tags_are_written_without_streams(song: Path) -> None:
    done = call("predict", song, "--write-tags", redirect="<&- >&- 2>&-")
    assert done.returncode == 0
    assert b"TKEY" in song.read_bytes()


SUBCOMMANDS = [
    (["--help"], 0, 0),
    (["datasets"], 0, 1),
    (["datasets", "--json"], 0, 1),
    (["prepare", "--source", "nowhere", "--dataset", "mine"], 2, 2),
    (["train", "-o", "nosuch=1"], 2, 2),
    (["tune", "--space", "nowhere"], 2, 2),
    (["evaluate", "nowhere"], 2, 2),
    (["export", "nowhere"], 2, 2),
    (["calibrate", "nowhere", "a.wav", "--reference", "a.csv"], 2, 2),
    (["models"], 0, 1),
    (["compare", "a.csv", "b.csv", "--reference", "a.csv"], 0, 1),
    (["pack", "nowhere"], 1, 1),
]


@pytest.mark.parametrize("redirect", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_every_subcommand_without_streams(song: Path, redirect: str) -> None:
    """One process tries them all, and notes their exit codes."""
    for name in "ab":
        Path(f"{name}.csv").write_text("track,key\n1,A minor\n2,C major\n")
    script = f"""
import json, sys, traceback
from scripts.main import main
codes = []
for arguments, _, _ in {SUBCOMMANDS!r}:
    sys.argv = ["tfkey", *arguments]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code)
    except BaseException:
        codes.append(traceback.format_exc())
with open("codes.json", "w") as stream:
    json.dump(codes, stream)
"""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-c", script],
        capture_output=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = [closed if ">&-" in redirect.replace("2>&-", "") else code for _, code, closed in SUBCOMMANDS]
    assert json.loads(Path("codes.json").read_text()) == expected


def test_targets_that_are_not_replaced(song: Path) -> None:
    """A device, FIFO, link or file of one's own stays what it is; its mode stays, too."""
    os.mkfifo("fifo")
    Path("real.csv").write_text("old")
    os.chmod("real.csv", 0o640)
    os.symlink("real.csv", "link.csv")
    os.symlink("new.csv", "dangling.csv")
    Path("private.csv").write_text("old")
    os.chmod("private.csv", 0o600)
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("fifo").read_bytes()))
    reader.start()
    expected = call("predict", song, "--format", "csv").stdout
    targets = [
        "fifo",
        "link.csv",
        "dangling.csv",
        "private.csv",
        "/dev/null",
        "-",
        "/dev/stdout",
        "/dev/fd/2",
    ]
    seen = {target: call("predict", song, "--format", "csv", "--output", target) for target in targets}
    reader.join(60)
    assert {target: done.returncode for target, done in seen.items()} == dict.fromkeys(targets, 0)
    assert {target for target, done in seen.items() if done.stdout} == {"-", "/dev/stdout"}
    assert read == [expected]
    assert seen["-"].stdout == seen["/dev/stdout"].stdout == expected
    assert seen["/dev/fd/2"].stderr.endswith(expected)
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert (os.readlink("link.csv"), os.readlink("dangling.csv")) == ("real.csv", "new.csv")
    for name, mode in (("real.csv", 0o640), ("private.csv", 0o600)):
        assert stat.S_IMODE(os.stat(name).st_mode) == mode
    for name in ("real.csv", "private.csv", "new.csv"):
        assert Path(name).read_bytes() == expected


def test_output_on_a_full_device_and_into_a_pipe_that_closes(song: Path) -> None:
    done = call("predict", song, "--output", "/dev/full")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 2)
    assert b"/dev/full: cannot be written (No space left on device)" in done.stderr
    os.mkfifo("fifo")
    reader = subprocess.Popen(["sh", "-c", "exec <fifo"])
    done = call("predict", song, song, "--format", "csv", "--output", "fifo")
    assert reader.wait(60) == 0
    assert done.stderr.count(b"\n") <= 1


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("-", ("--skip-existing",), b"cannot be read back"),
        ("/dev/null", ("--skip-existing",), b"cannot be read back"),
        ("/dev/stdout", ("--skip-existing",), b"cannot be read back"),
        (".", (), b"is a folder"),
        ("song.wav", (), b"is one of the files to analyse"),
    ],
)
def test_targets_that_cannot_be_meant(song: Path, target: str, options: tuple, words: bytes) -> None:
    before = song.read_bytes()
    done = call("predict", song, "--format", "csv", "--output", target, *options)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.splitlines()[-1]
    assert song.read_bytes() == before


def test_file_whose_name_is_a_dash(song: Path) -> None:
    shutil.copy(song, "-")
    done = call("predict", "./-", "--format", "csv", "--output", "./-.csv")
    assert done.returncode == 0
    assert names_in(Path("-.csv").read_bytes(), "csv") == [b"-"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_predict_says_what_it_wrote_and_how_to_go_on(song: Path, number: int) -> None:
    os.mkdir("many")
    for place in range(2000):
        os.link(song, f"many/{place}.wav")
    process = subprocess.Popen(
        [*COMMAND, "predict", "many", "--format", "csv", "--workers", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True, bufsize=0,
        # A job in the background is started with SIGINT ignored, and hands that on.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    written = [process.stdout.readline() for _ in range(3)]
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    written += out.splitlines()
    assert len(written) < 2000
    assert err.decode().splitlines()[-1] == (
        f"tfkey: stopped; {len(written) - 1} results were written to stdout; the same command starts over; "
        "with --output FILE.csv and --skip-existing it can continue"
    )
    assert b"Traceback" not in err
