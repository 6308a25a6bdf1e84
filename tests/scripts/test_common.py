"""What the subcommands share."""

from __future__ import annotations

import sys

from scripts.common import ProgressBars, list_failures


def test_bars_are_for_a_terminal_and_step_aside(monkeypatch, capsys):
    with ProgressBars("analysing", "files") as bars:
        bars.work(1, 3)
    assert capsys.readouterr() == ("", "")

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressBars("analysing", "files") as bars:
        for done in (1, 2, 3):
            with bars.aside():
                print("result", done)
            bars.work(done, 3)
    out, err = capsys.readouterr()
    assert out == "result 1\nresult 2\nresult 3\n"
    assert "result" not in err
    assert "analysing" in err
    assert "3/3, " in err
    assert " files/s" in err


def test_long_lists_of_failures_are_cut_where_a_file_has_them_all(capsys, tmp_path):
    failures = [(f"{number}.mp3", "broken\nin two") for number in range(30)]
    list_failures(failures, "left out")
    assert len(capsys.readouterr().err.splitlines()) == 31
    list_failures(failures, "left out", written_to=tmp_path / "left_out.csv")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "left out (30):"
    assert lines[1] == "  0.mp3: broken in two"
    assert lines[-1] == f"  and 10 more, all in {tmp_path / 'left_out.csv'}"
    assert len(lines) == 22
