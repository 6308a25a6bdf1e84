"""Figures in the handbook come from results files, and a figure typed by hand is found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.publishing.model_card import fill_card
from tests import figures
from tests.benchmarks.catalogue import counted
from tests.benchmarks.results import figure, ratio, recordings, table, write_results
from tests.figures import ROOT, pages, read_results, rendered, results_page, shown, unmarked
from tests.figures_allowed import ALLOWED
from tfkey.inference.bundle import read_metadata

RESULTS = read_results()


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", pages(), ids=name)
def test_pages_show_the_figures_of_the_results_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == rendered(text, RESULTS), "python -m tests.figures --write puts the figures in place"


@pytest.mark.parametrize("path", pages(), ids=name)
def test_no_figure_is_typed_by_hand(path: Path) -> None:
    found = list(unmarked(name(path), path.read_text(encoding="utf-8")))
    assert not found, (
        "write a results file and a mark (tests/figures.py), or allow it (tests/figures_allowed.py)"
    )


def test_every_allowance_is_needed() -> None:
    used: set[int] = set()
    for path in pages():
        list(unmarked(name(path), path.read_text(encoding="utf-8"), used))
    assert [entry[:2] for number, entry in enumerate(ALLOWED) if number not in used] == []


@pytest.mark.parametrize("page", figures.LEDGERS)
def test_ledgers_exist(page: str) -> None:
    assert (ROOT / page).is_file()


@pytest.mark.parametrize(
    "text",
    [
        "It scores 85.4 on them.",
        "It takes 12 ms.",
        "It takes 33.6 ms for a file.",
        "80 % of the answers",
        "80 per cent are right",
        "3 of the 25 songs",
        "7 in 10 songs",
        "22 times as fast",
        "an error of 7e-6",
        "96,422 requests",
        "+4.9 points",
        "279 MiB without pip",
        "| tfkey | 85 |",
        "| tfkey | **303** |",
        "**0.50** of the time",
        "from 0.66 to 1.81",
        "[76.9, 92.8]",
    ],
)
def test_figures_without_a_mark_are_found(text: str) -> None:
    assert list(unmarked("docs/page.md", f"# Page\n\n{text}\n"))
    assert not list(unmarked("docs/page.md", f"<!-- figure: a.b -->{text}<!-- / -->"))


@pytest.mark.parametrize(
    "text",
    [
        "all 24 keys, two cores, A4 = 440 Hz",
        "with 95 % intervals",
        "Python 3.10 to 3.13, TensorFlow 2.16",
        "`train.batch_size=16`, `--min-confidence 0.6`",
        "[a page](figures-1.5.md)",
        "```\n33.6 ms\n```",
        "<!-- 33.6 ms -->",
        "3. A step of a list.",
        "| 8A | 1m |",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert not list(unmarked("docs/page.md", f"{text}\n"))


def test_the_line_of_a_figure_is_named() -> None:
    text = "```\ncode\n```\n\n<!-- figure: a.b -->\n1\n<!-- / -->\n12 ms\n"
    assert list(unmarked("docs/page.md", text)) == [(8, "12 ms")]


EXAMPLE: dict[str, dict[str, Any]] = {
    "speed": {
        "figures": {
            "warm": ratio("warm", [0.49, 0.5, 0.521]),
            "score": figure("score", 85.42, (76.9, 92.8), form=".1f", spread="interval"),
            "error": figure("error", 6.6e-6, form=".0e"),
            "count": figure("count", 96422, form=","),
        },
        "tables": {"times": table("times", ["", "ms"], [["tfkey", "33.6"]])},
    }
}


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("figure: speed.warm", "0.50"),
        ("figure: speed.warm range", "0.50 (0.49 to 0.52)"),
        ("figure: speed.warm range .1f", "0.5 (0.5 to 0.5)"),
        ("figure: speed.score range", "85.4 [76.9, 92.8]"),
        ("figure: speed.error", "7e-6"),
        ("figure: speed.error .1e", "6.6e-6"),
        ("figure: speed.count", "96,422"),
        ("table: speed.times", "\n\n| | ms |\n|---|---|\n| tfkey | 33.6 |\n\n"),
    ],
)
def test_marks_are_filled_in(mark: str, expected: str) -> None:
    new = rendered(f"a <!-- {mark} -->old<!-- / --> b", EXAMPLE)
    assert new == f"a <!-- {mark} -->{expected}<!-- / --> b"
    assert rendered(new, EXAMPLE) == new


@pytest.mark.parametrize(
    "text",
    [
        "a <!-- figure: speed.cold -->1<!-- / -->",
        "a <!-- table: speed.warm -->1<!-- / -->",
        "a <!-- figure: other.warm -->1<!-- / -->",
        "a <!-- figure: speed.warm -->1",
        "a <!-- figure: speed.warm -->1 <!-- figure: speed.error -->2<!-- / -->",
        "<!-- figure: speed.warm -->0.50<!-- / -->",
    ],
)
def test_wrong_marks_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^<!-- (figure|table): "):
        rendered(text, EXAMPLE)


@pytest.mark.parametrize("result", RESULTS)
def test_results_files_are_whole(result: str) -> None:
    content = RESULTS[result]
    assert content["command"].startswith(("python -m tests.benchmarks.", "tfkey ", "make "))
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", content["date"])
    assert content["origin"] == "measured" or content["origin"].startswith("transcribed from ")
    assert content["figures"] or content["tables"]
    for found in content["figures"].values():
        assert found["what"]
        assert shown(found, with_range="low" in found)
        assert found.get("low", found["value"]) <= found["value"] <= found.get("high", found["value"])
    for found in content["tables"].values():
        assert {len(row) for row in found["rows"]} == {len(found["columns"])}
    if command := re.match(r"python -m (tests\.benchmarks\.\w+)", content["command"]):
        assert ROOT.joinpath(*command[1].split(".")).with_suffix(".py").exists()


@pytest.mark.parametrize("result", RESULTS)
def test_results_files_are_small_and_name_no_recordings_or_machines(result: str) -> None:
    text = (ROOT / "docs" / "results" / f"{result}.json").read_text(encoding="utf-8")
    assert len(text) < 40_000
    assert not re.search(r"/(?:home|work|tmp|root|Users)/|\.(?:ogg|mp3|wav|flac|m4a)\b", text)


def test_the_page_of_results_has_every_figure_with_its_command() -> None:
    page = results_page(RESULTS)
    for result in RESULTS.values():
        assert result["command"] in page
        for found in result["figures"].values():
            assert f"| {found['what']} | {shown(found)}" in page


def test_the_counts_of_the_catalogue_are_those_of_the_lists() -> None:
    assert RESULTS["catalogue"]["figures"] == json.loads(json.dumps(counted()))


def test_the_scores_of_the_network_are_those_of_its_metadata_and_its_card() -> None:
    result, folder = RESULTS["pretrained"], ROOT / "tfkey" / "weights" / "general"
    metadata = read_metadata(folder)
    for kind, found in metadata["scores"].items():
        weighted = result["figures"][kind]
        stated = (weighted["value"], weighted["low"], weighted["high"])
        assert stated == pytest.approx([100 * found[part] for part in ("weighted", "low", "high")], abs=1e-3)
        assert result["figures"][f"{kind}-files"]["value"] == found["tracks"]
    report = "\n\n".join(figures.table(result["tables"][label]) for label in ("scores", "beside"))
    template = (ROOT / "configs" / "cards" / "general.md").read_text(encoding="utf-8")
    card = fill_card(template, metadata["trained_on"], report)
    assert card == (folder / "card.md").read_text(encoding="utf-8")


def test_a_benchmark_writes_a_results_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results" / "speed.json"
    monkeypatch.setattr(
        "sys.argv", ["x", "--table", "/home/me/labels.csv", "--results", str(path), "--rounds=3"]
    )
    judged = recordings({"b": ["2.ogg", "1.ogg"], "a": ["3.ogg"]})
    assert judged == recordings({"b": ["1.ogg", "2.ogg"], "a": ["3.ogg"]})
    assert judged["digest"] != recordings({"b": ["1.ogg"], "a": ["2.ogg", "3.ogg"]})["digest"]
    write_results(path, "Speed", **EXAMPLE["speed"], packages=("numpy", "not-installed"), judged=judged)
    content = read_results(path.parent)["speed"]
    assert content["command"].endswith(" --table labels.csv --rounds=3")
    assert set(content["versions"]) == {"Python", "tfkey", "numpy"}
    assert content["recordings"]["sets"] == {"b": 2, "a": 1}
    assert content["figures"] == EXAMPLE["speed"]["figures"]
    write_results(None, "Speed")
