"""Killed and started again: as a module, this prepares in forked processes that die at a chosen moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import open_prepared
from pipelines.tracks import LeftOut
from pipelines.work import Journal, Result, Unit
from tests.conftest import contents, times, write_settings
from tests.killing import in_fork
from tfkey.config import Config, load_config
from tfkey.errors import DataError
from tfkey.files import remove_partial


def _main(scratch: Path, source: Path, moments: int) -> None:
    def config_in(folder: Path) -> Config:
        return load_config(scratch / "settings.yaml").model_copy(update={"data_dir": folder})

    whole = config_in(scratch / "whole")

    def prepare_in(config: Config, moment: int | None) -> int | None:
        work = partial(prepare, config, "small", source=source, workers=2)
        return in_fork(work, config.data_dir, moment, scratch)

    touches = prepare_in(whole, None)
    assert touches is not None
    expected = contents(whole.data_dir)
    for number in range(moments):
        # From the first to the last touch; the last is the rename of dataset.json.
        moment = 1 + round((touches - 1) * number / (moments - 1))
        config = config_in(scratch / f"killed-{moment}")
        prepare_in(config, moment)
        seen = contents(config.data_dir)
        assert seen.items() <= expected.items(), f"half-written after a kill at {moment} of {touches}"
        with pytest.raises(DataError, match="not prepared"):
            open_prepared(config, config.mode, "small")
        journal = config.data_dir / config.mode / "small" / ".journal.jsonl"
        finished = (
            [json.loads(line) for line in journal.read_text().splitlines()] if journal.is_file() else []
        )
        paths = {str(journal.parent / row["path"]) for entry in finished for row in entry["rows"]}
        before = times(config.data_dir)

        prepare_in(config, None)
        after = times(config.data_dir)
        assert contents(config.data_dir) == expected, f"other bytes after a kill at {moment} of {touches}"
        assert {path: after[path] for path in paths} == {path: before[path] for path in paths}
        assert not [path for path in after if ".partial" in path]
        open_prepared(config, config.mode, "small")
    print(whole.mode, "ok" if touches > moments else f"only {touches} touches")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_prepare_goes_on_and_ends_with_the_same_bytes(make_config, tracks, tmp_path):
    folder = prepare(make_config(mode="spectrograms"), "small", source=tracks, png=True).folder
    jobs = [("audio", tracks, 10), ("spectrograms", tracks, 4), ("images", folder / "png", 8)]
    for mode, _, _ in jobs:
        (tmp_path / mode).mkdir()
        write_settings(tmp_path / mode / "settings.yaml", mode=mode)
    arguments = [str(item) for mode, source, moments in jobs for item in (tmp_path / mode, source, moments)]
    # A process that TensorFlow has not run in yet can be forked; this one cannot.
    command = [sys.executable, "-m", "tests.pipelines.experiments.test_resume", *arguments]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "audio ok\nspectrograms ok\nimages ok\n"


def test_a_kill_while_prepared_data_changes_leaves_nothing_that_opens(make_config, tracks, monkeypatch):
    """Shards of other settings have the same names and sizes: a mixture must not pass for either."""
    config = make_config(mode="spectrograms")
    prepare(config, "small", source=tracks)
    other = make_config(mode="spectrograms", features={"db_min": -50.0})
    add, calls = Journal.add, []

    def dying(self, unit, result):
        calls.append(unit)
        if len(calls) == 2:
            raise KeyboardInterrupt
        add(self, unit, result)

    monkeypatch.setattr(Journal, "add", dying)
    with pytest.raises(KeyboardInterrupt):
        prepare(other, "small", source=tracks, replace=True)
    for either in (config, other):
        with pytest.raises(DataError, match="not prepared"):
            open_prepared(either, "spectrograms", "small")


def test_a_journal_with_a_cut_line(tmp_path):
    first, second = Unit("first ü\u2028", "1", None), Unit("second", "2", None)
    journal = Journal(tmp_path)
    journal.add(first, Result(left_out=[LeftOut("ü\u2028\udce9", "silent")]))
    path = tmp_path / ".journal.jsonl"
    whole = path.read_bytes()
    journal.add(second, Result())
    complete = path.read_bytes()
    for cut in range(len(whole) + 1, len(complete)):
        path.write_bytes(complete[:cut] + b"\xff")
        reopened = Journal(tmp_path)
        assert reopened.finished(first) == Result(left_out=[LeftOut("ü\u2028\udce9", "silent")])
        assert reopened.finished(second) is None
        assert reopened.finished(Unit(first.name, "changed", None)) is None
    reopened.add(second, Result())
    assert Journal(tmp_path).finished(second) == Result()
    assert Journal(tmp_path).finished(first) is not None


def test_remove_partial_takes_what_a_kill_left_and_nothing_else(tmp_path):
    for name in ("train/.a-000.partial.wav", "train/a-000.wav", "partial.wav", ".journal.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".folder.partial" / "inside").mkdir(parents=True)
    remove_partial(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"train", "train/a-000.wav", "partial.wav", ".journal.jsonl"}


if __name__ == "__main__":
    for scratch, source, moments in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3], strict=True):
        _main(Path(scratch), Path(source), int(moments))
