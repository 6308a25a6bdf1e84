"""The code of the handbook runs: the fast blocks here, the long ones by ``make docs-test``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.base_install import IS_BASE
from tests.conftest import ROOT
from tests.handbook.__main__ import with_outputs
from tests.handbook.blocks import blocks, faults, given, pages
from tests.handbook.outputs import agrees
from tests.handbook.running import run_page
from tests.handbook.workspace import make_workspace

PAGES = pages(ROOT)
_MISSING = r"No module named|tfkey\[\w+\]"


def name(path: Path) -> str:
    return path.relative_to(ROOT / "docs").as_posix()


def fenced(language: str, text: str, mark: str = "", indent: str = "") -> str:
    comment = f"{indent}<!-- {mark} -->\n\n" if mark else ""
    return f"Text.\n\n{comment}{indent}```{language}\n{indent}{text}\n{indent}```\n\n"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_block_is_run_or_marked(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if any(block.is_run(long=False) for block in blocks(path.read_text("utf-8")))],
    ids=name,
)
def test_fast_blocks_run_and_print_what_the_page_says(path: Path, tmp_path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    checkout = make_workspace(tmp_path)
    outcomes = list(run_page(page, checkout, long=False))
    assert outcomes
    faulty = [outcome for outcome in outcomes if outcome.fault]
    if IS_BASE and any(re.search(_MISSING, outcome.fault) for outcome in faulty):
        pytest.skip("base install: a block needs an extra")
    assert [f"line {outcome.block.line}: {outcome.fault}" for outcome in faulty] == []


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (fenced("shell", "true"), []),
        (fenced("shell", "true", "run: long"), []),
        (fenced("python", "pass", "not run: it needs a cluster"), []),
        (fenced("shell", "true") + fenced("text", "", "output"), []),
        (fenced("text", "a line", "example"), []),
        (fenced("shell", "true", "given: trained"), []),
        (fenced("shell", "true", "not run:"), ["line 5: shell with the mark 'not run:'"]),
        (fenced("shell", "true", "run: soon"), ["line 5: shell with the mark 'run: soon'"]),
        (fenced("text", "a line"), ["line 3: text with the mark ''"]),
        (fenced("text", "a line", "output"), ["line 5: output of a block that is not run"]),
        (
            fenced("shell", "true", "not run: no") + fenced("text", "", "output"),
            ["line 13: output of a block that is not run"],
        ),
        (
            fenced("", "true"),
            ["line 3: the language '' is not one of shell, python, text, json, yaml, csv"],
        ),
        ("- item\n\n" + fenced("text", "a", indent="    "), ["line 5: text with the mark ''"]),
    ],
)
def test_blocks_without_a_mark_are_found(page: str, expected: list[str]) -> None:
    assert faults(page) == expected


def test_what_a_page_takes_for_granted() -> None:
    assert given("# A page\n\n<!-- given: trained -->\n\nText.\n") == {"trained"}
    assert given("# A page\n\nText.\n") == set()


@pytest.mark.parametrize(
    ("printed", "page", "same"),
    [
        ("key  0.882\n", "key 0.88", True),
        ("key  0.912\n", "key 0.88", False),
        ("key  0.882\n", "other 0.88", False),
        ("one\ntwo\nthree\n", "one\n...\nthree\n", True),
        ("one\ntwo\nthree\n", "one\n...\nfour\n", False),
        ("one\ntwo\n", "one\n", False),
        ("", "one\n", False),
        ('{"confidence": 0.9387, "reason": null}', '{"confidence": 0.94, ...', True),
        ('{"confidence": 0.5, "reason": null}', '{"confidence": 0.94, ...', False),
        ("C major", "D...", False),
        ("1,042 parameters", "1,040 parameters", True),
        ("G4", "G5", False),
    ],
)
def test_outputs_agree_up_to_small_differences_of_numbers(printed: str, page: str, same: bool) -> None:
    assert agrees(printed, page) is same


def test_numbers_may_differ_where_the_page_says_so() -> None:
    assert agrees("score 94.1 [ 90.0, 97.4]", "score 91 [88.25, 100.0]", varies=True)
    assert not agrees("score 94.1", "mark 94.1", varies=True)


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_a_block_that_fails_or_prints_something_else_is_found(tmp_path: Path) -> None:
    page = (
        fenced("shell", "echo 3 keys > file && cat file")
        + fenced("text", "4 keys", "output", indent="  ")
        + fenced("shell", "false | true")
        + fenced("python", "print(open('file').read())")
        + fenced("shell", "false", "run: long")
        + fenced("shell", "false", "not run: it fails")
    )
    outcomes = list(run_page(page, make_workspace(tmp_path), long=False))
    assert [outcome.fault.splitlines()[:1] for outcome in outcomes] == [["it prints"], ["exit code 1"], []]
    assert outcomes[2].printed.strip() == "3 keys"
    assert with_outputs(page, outcomes) == page.replace("4 keys", "3 keys")
    assert len(list(run_page(page, tmp_path / "home" / "tfkey", long=True))) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_a_server_runs_to_the_end_of_its_page(tmp_path: Path) -> None:
    serve = "trap 'echo > stopped; exit' TERM; echo http://127.0.0.1/; while true; do sleep 0.1; done"
    page = fenced("shell", serve, "run: in the background") + fenced("shell", "test ! -e stopped")
    checkout = make_workspace(tmp_path)
    assert [outcome.fault for outcome in run_page(page, checkout, long=True)] == [""]
    assert (checkout / "stopped").exists()
