"""What each subcommand says when it is stopped, and its exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.predict_output import Form
from scripts.predict_target import Results
from scripts.stopping import STARTS_OVER, Signalled, catch_signals

AGAIN = "the same command starts over"
GOES_ON = "the same command continues"
CAN = "with --output FILE.csv and --skip-existing it can continue"
# The function that does the work, the command that calls it, and what is said.
STOPPED = [
    ("pipelines.prepare.prepare.prepare", ["prepare", "--dataset", "demo"], f"{GOES_ON} from here"),
    ("pipelines.experiments.train.train", ["train"], f"{GOES_ON} after the last finished epoch"),
    ("pipelines.experiments.self_checks.overfit", ["train", "--check", "overfit"], STARTS_OVER),
    ("pipelines.experiments.train.find_learning_rate", ["train", "--find-learning-rate"], STARTS_OVER),
    ("pipelines.experiments.tune.tune", ["tune"], f"{GOES_ON} the trial after its last finished epoch"),
    ("tfkey.runs.open_run", ["evaluate", "run"], STARTS_OVER),
    ("tfkey.runs.open_run", ["export", "run"], STARTS_OVER),
    ("tfkey.scoring.comparison.compare", ["compare", "a.csv", "a.csv"], STARTS_OVER),
    ("pipelines.prepared.manifest.as_prepared", ["pack", "demo"], STARTS_OVER),
    ("pipelines.datasets_on_disk.describe", ["datasets"], STARTS_OVER),
    ("tfkey.audio.finding.list_files", ["predict", "a.csv"], f"no work was done yet; {AGAIN}"),
    ("tfkey.inference.many_files.judge_files", ["predict", "a.csv"], f"no new result was written; {AGAIN}"),
]  # fmt: skip


@pytest.mark.parametrize(("work", "arguments", "words"), STOPPED)
@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (Signalled(signal.SIGTERM), 143)], ids=["Ctrl-C", "TERM"]
)
def test_stopped_subcommand_says_how_to_go_on(
    tfkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work, arguments, words, error, code
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("track,key\n1,A minor\n")

    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(work, stop)
    assert tfkey(*arguments) == (code, [], [f"tfkey: stopped; {words}"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), f"to stdout; {AGAIN}; {CAN}"),
        (("--output", "-"), f"to stdout; {AGAIN}; {CAN}"),
        (("--output", "/dev/null"), f"to --output /dev/null; {AGAIN}; with --output FILE.csv and "
                                    "--skip-existing it can continue"),
        (("--output", "k.txt"), f"to k.txt; {AGAIN}; with --format csv and --skip-existing it can continue"),
        (("--output", "k.csv"), "to k.csv; the same command with --skip-existing continues"),
        (("--output", "k.csv", "--skip-existing"), "to k.csv; the same command continues"),
        (("--write-tags",), "to stdout, and 2 tags; the same command with --skip-existing continues"),
        (("--write-tags", "--dry-run"), f"to stdout, and 0 tags; {AGAIN}"),
    ],
)  # fmt: skip
def test_stopped_predict_says_which_option_goes_on(
    tfkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options, words
) -> None:
    """And a call with that option does go on."""
    import soundfile

    from tests.media import chord
    from tfkey.inference.many_files import make_judge

    monkeypatch.chdir(tmp_path)
    for name in "abc":
        soundfile.write(f"{name}.wav", chord(1), 44100)

    def stop(files, judging, *_: object):
        judge = make_judge(judging)
        yield judge(files[0])
        yield judge(files[1])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tfkey.inference.many_files.judge_files", stop)
        code, _, err = tfkey("predict", ".", *options)
    assert (code, err[-1]) == (130, f"tfkey: stopped; 2 results were written {words}")
    if "continues" in words:
        again = [option for option in options if option != "--skip-existing"]
        code, _, err = tfkey("predict", ".", *again, "--skip-existing")
        assert code == 0
        assert err[-1].startswith("1 analysed, 2 skipped")


@pytest.mark.parametrize(
    ("done", "words"), [(0, "no new result was written; "), (1, "1 result was written to stdout; ")]
)
def test_stopped_predict_counts_in_words(tfkey, tmp_path: Path, monkeypatch, done: int, words: str) -> None:
    import soundfile

    from tests.media import chord
    from tfkey.inference.many_files import make_judge

    soundfile.write(tmp_path / "a.wav", chord(1), 44100)

    def stop(files, judging, *_: object):
        yield from map(make_judge(judging), files[:done])
        raise KeyboardInterrupt

    monkeypatch.setattr("tfkey.inference.many_files.judge_files", stop)
    assert tfkey("predict", tmp_path)[2][-1].startswith(f"tfkey: stopped; {words}")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_signals_that_the_caller_ignores_are_ignored() -> None:
    with handlers():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        catch_signals()
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert isinstance(caught.value, Signalled)
        assert caught.value.number == signal.SIGTERM


@contextlib.contextmanager
def handlers() -> Iterator[None]:
    """Set the default handlers, and afterwards those of before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def add_all(results: Results) -> None:
    for number in range(5):
        results.add(f"{number}.wav\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["before the write", "after the write", "while it waits for the reader"])
def test_stop_at_any_moment_counts_what_was_written(tmp_path: Path, number: int, place: str) -> None:
    results = Results(Form("csv"), tmp_path / "k.csv")
    written: list[str] = []

    class Stopping:
        def wait(self) -> None:
            if place == "while it waits for the reader" and len(written) == 3:
                os.kill(os.getpid(), number)

        def write(self, text: str) -> None:
            if place == "before the write" and len(written) == 3:
                os.kill(os.getpid(), number)
            written.append(text)
            if place == "after the write" and len(written) == 4:
                os.kill(os.getpid(), number)

    results._target = Stopping()
    with handlers():
        catch_signals()
        with pytest.raises(Signalled) as caught:
            add_all(results)
    assert caught.value.number == number
    assert results.count == len(written) - 1  # without the heading
