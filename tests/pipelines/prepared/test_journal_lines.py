from __future__ import annotations

import json

import pytest

from pipelines.prepared import journal_lines as module
from pipelines.prepared.journal_lines import journal_lines
from tests.object_store import Fault
from tfkey.errors import TfkeyError
from tfkey.storage import located


def numbers(lines: list[str]) -> list[int]:
    return [json.loads(line)["n"] for line in lines]


def test_lines_elsewhere_are_those_that_were_appended_in_however_many_objects(object_store, monkeypatch):
    monkeypatch.setattr(module, "ROLL", 4)
    folder = located(object_store.url("data/audio/small"))
    assert journal_lines(folder).read() == []
    expected: list[int] = []
    # Each opened again, as by a job that was stopped and started.
    for count in (1, 2, 6, 3):
        lines = journal_lines(folder)
        assert numbers(lines.read()) == expected
        for _ in range(count):
            expected.append(len(expected))
            lines.append(json.dumps({"n": expected[-1]}))
    assert numbers(journal_lines(folder).read()) == expected
    assert len(object_store.contents("data/audio/small/.journal/")) < 7


def test_a_kill_between_joining_lines_and_removing_them_only_repeats_them(object_store, monkeypatch):
    monkeypatch.setattr(module, "ROLL", 3)
    folder = located(object_store.url("data"))
    lines = journal_lines(folder)
    lines.read()
    object_store.fail(Fault(status=403), method="POST", times=None)
    for number in range(2):
        lines.append(json.dumps({"n": number}))
    with pytest.raises(TfkeyError):
        lines.append(json.dumps({"n": 2}))
    object_store.heal()
    again = journal_lines(folder)
    assert set(numbers(again.read())) == {0, 1, 2}
    again.append(json.dumps({"n": 3}))
    assert numbers(journal_lines(folder).read())[-1] == 3


def test_a_line_is_stored_in_spite_of_passing_failures(object_store):
    folder = located(object_store.url("data"))
    object_store.fail(Fault(status=503), method="PUT", times=2)
    object_store.fail(Fault(cut="before"), method="PUT")
    lines = journal_lines(folder)
    lines.append(json.dumps({"n": 0}))
    assert numbers(journal_lines(folder).read()) == [0]
    assert object_store.unused == 0


def test_no_rights_to_write_are_one_error_that_names_the_object(object_store):
    object_store.fail(Fault(status=403), method="PUT", times=None)
    with pytest.raises(TfkeyError, match=r"s3://music/data/\.journal/0000000000\.jsonl: .*access denied"):
        journal_lines(located(object_store.url("data"))).append("{}")
