"""What benchmarks write has every figure and table that pages show of them; they themselves take long."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.benchmarks import broken, cqt, decoding, demo, memory, predict, prepare, soak, transposition
from tests.figures import OPEN, pages, rendered
from tfkey.keys import Key
from tfkey.scoring.mirex import summarise

STEPS = (
    "MP3, stereo, by libsndfile alone", "tfkey.audio.reading.read", "tfkey's spectrogram", "librosa.load",
    "librosa.cqt",
)  # fmt: skip
KEYS = [Key.parse(name) for name in ("C major", "A minor", "G major")]


def of_cqt() -> dict[str, Any]:
    names = ("tfkey", "librosa.cqt", "rfft (floor)")
    times = {
        (name, batch): [1.0 + number, 2.0 + number]
        for number, name in enumerate(names)
        for batch in cqt.BATCHES
    }
    errors, factors = {"tfkey": 6.6e-6, "librosa.cqt": 5.5e-3}, dict.fromkeys(cqt.BATCHES, 11.4)
    return cqt.stated({threads: cqt.Timed(times, errors, factors) for threads in (1, 2)})


def of_predict() -> dict[str, Any]:
    times = {"tfkey": [0.03, 0.04], "essentia edma": [0.06, 0.07], "librosa chroma": [0.3, 0.2]}
    long = {name: values for name, values in times.items() if name != "librosa chroma"}
    return predict.stated(times, times, long, 12)


def of_prepare() -> dict[str, Any]:
    runs = [(name, workers) for workers in (1, 2) for name in prepare.CONTENDERS]
    one = {"seconds": 10.0, "start": 1.0, "processors": 1.0}
    return prepare.print_race({run: [one, one] for run in runs}, dict.fromkeys(runs, 2.0**29), 3.02)


def of_demo() -> dict[str, Any]:
    item = {"value": 0.92, "low": 0.87, "high": 0.96}
    matrix = [[0] * 24 for _ in range(24)]
    matrix[0][0], matrix[9 + 12][0] = 3, 1
    metrics = {
        "n_tracks": 4,
        "weighted": item,
        "correct": item,
        "confusion": {"reference_by_estimate": matrix},
    }
    return demo.stated(dict.fromkeys(demo.MODES, metrics))


def of_broken() -> dict[str, Any]:
    outcome = broken.Outcome(950, 50, set(), 1, 8.1, 7.0, 102.0)
    return broken.stated([[outcome, outcome]] * 3)


def of_soak() -> dict[str, Any]:
    minutes = [soak.Sample(100.0, 44.0, 9, 9), soak.Sample(100.0, 51.0, 9, 9)]
    return {"figures": soak.stated(minutes, 1, soak.Tally()), "tables": {}}


def of_transposition() -> dict[str, Any]:
    summary = summarise(KEYS, KEYS)
    return transposition.stated({"octave": {"the six": summary, "all 24": summary}})


STATED = {
    "broken": of_broken,
    "cqt": of_cqt,
    "decoding": lambda: decoding.stated({step: [30.0, 31.0] for step in STEPS}),
    "demo": of_demo,
    "memory": lambda: memory.stated({("audio", size): [907.0, 910, 910, 912, 913] for size in (96, 384)}),
    "predict": of_predict,
    "prepare": of_prepare,
    "soak": of_soak,
    "transposition": of_transposition,
}
# Printed and written in one go.
ELSEWHERE = {"formats"}


def marks(result: str) -> list[str]:
    """The marks of a results file on all pages."""
    found = (mark for path in pages() for mark in OPEN.finditer(path.read_text(encoding="utf-8")))
    return [mark[0] for mark in found if mark[2] == result and mark[3] not in ELSEWHERE]


@pytest.mark.parametrize("result", STATED)
def test_a_new_run_fills_every_mark_of_the_pages(result: str) -> None:
    assert marks(result)
    for mark in marks(result):
        new = rendered(f"a {mark}<!-- / -->", {result: STATED[result]()})
        assert "nan" not in new
        assert len(new) > len(f"a {mark}<!-- / -->")


def test_figures_are_those_of_the_measurements() -> None:
    assert of_predict()["figures"]["warm"]["value"] == pytest.approx((0.5 + 4 / 7) / 2, rel=1e-5)
    assert of_predict()["figures"]["long"]["value"] == pytest.approx(0.07 / 0.13, rel=1e-5)
    steps = decoding.stated({step: [60.0 if step == "librosa.cqt" else 30.0] for step in STEPS})["figures"]
    assert (steps["wanted"]["value"], steps["least"]["value"]) == (30, 60)
    grown = memory.stated(
        {("audio", 96): [100.0, 100, 100, 103, 110], ("audio", 384): [100.0, 100, 100, 105, 121]}
    )
    assert [item["value"] for item in grown["figures"].values()] == [10, 5]
    assert of_demo()["figures"]["constant"]["value"] == pytest.approx(100 * (3 + 0.3) / 4)
    assert of_demo()["confusion"] == [[0, 0, 3], [21, 0, 1]]
    assert of_soak()["figures"]["growth"]["value"] == pytest.approx(151 / 144, rel=1e-5)
    assert not math.isnan(of_broken()["figures"]["seconds"]["value"])
