"""The demo's figures, from what ``make demo`` wrote: ``python -m tests.benchmarks.demo``.

Reads ``runs/demo-MODE/evaluation/demo-MODE-test/metrics.json`` of the three modes. Figures are over the test
tracks, whose pieces and instruments are not in training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tests.benchmarks.results import add_option, figure, write_results
from tests.benchmarks.results import table as result_table
from tfkey.keys import KEYS
from tfkey.scoring.mirex import Figure, weighted_score

MODES = ("audio", "spectrograms", "images")
WORDS = {"weighted": "MIREX weighted", "correct": "correct"}
DRAWN = "audio"
"""The mode whose confusion is kept for the picture."""


def read(runs: Path) -> dict[str, dict[str, Any]]:
    """The metrics of each mode.

    Raises:
        SystemExit: a run has not been evaluated.
    """
    found = {}
    for mode in MODES:
        path = runs / f"demo-{mode}" / "evaluation" / f"demo-{mode}-test" / "metrics.json"
        if not path.is_file():
            raise SystemExit(f"{path}: does not exist; run make demo")
        found[mode] = json.loads(path.read_text(encoding="utf-8"))
    return found


def stated(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures, the table and the confusion of a results file."""
    rows, figures = [], {}
    for mode, metrics in found.items():
        cells = []
        for name, words in WORDS.items():
            item = Figure(**metrics[name])
            cells.append(f"{item}")
            ends = (100 * item.low, 100 * item.high)
            figures[f"{mode}-{name}"] = figure(
                f"{words}, {mode}", 100 * item.value, ends, form=".1f", spread="interval"
            )
        rows.append([mode, *cells])
    matrix = found[DRAWN]["confusion"]["reference_by_estimate"]
    figures["tracks"] = figure("test tracks", found[DRAWN]["n_tracks"], form="d")
    figures["constant"] = figure("a constant guess", 100 * constant_guess(matrix), form=".1f")
    return {
        "figures": figures,
        "tables": {"scores": result_table("On the test tracks", ["mode", *WORDS.values()], rows)},
        "confusion": [
            [reference, estimate, count]
            for reference, counts in enumerate(matrix)
            for estimate, count in enumerate(counts)
            if count
        ],
    }


def constant_guess(matrix: list[list[int]]) -> float:
    """The best MIREX weighted score that one key for all tracks gets."""
    references = [KEYS[index] for index, counts in enumerate(matrix) for _ in range(sum(counts))]
    return max(weighted_score(references, [guess] * len(references), both_fifths=True) for guess in KEYS)


def main() -> None:
    """Read what make demo wrote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    add_option(parser)
    options = parser.parse_args()
    found = stated(read(options.runs_dir))
    for item in found["figures"].values():
        print(f"{item['what']}: {item['value']:.1f}")
    write_results(
        options.results, "The demo's networks", **found, packages=("tensorflow", "keras"), command="make demo"
    )


if __name__ == "__main__":
    main()
