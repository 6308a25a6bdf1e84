"""The report of an evaluation: a single HTML file with its pictures inside.

It is written without a template language: the page has few tags, and every text passes through
``html.escape``.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfkey._version import __version__
from tfkey.files import atomic_path, write_text
from tfkey.keys import relation
from tfkey.scoring.charts import confusion_figure, png, reliability_figure
from tfkey.scoring.evaluation import Evaluation
from tfkey.scoring.mirex import FIGURE_TITLES

_KEY_FIGURES = ("weighted", "weighted_ascending", "correct")

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1f27; --paper: #fff; --faint: #d8dce3; --soft: #f3f5f8; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --paper: #14171c; --faint: #363c47; --soft: #1d2129; --bad: #ff8a80 }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--faint); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: pre }
tr.wrong td { color: var(--bad) } img { max-width: 100%; height: auto; border-radius: 6px }
pre { background: var(--soft); padding: 1rem; overflow-x: auto; font-size: .85rem; border-radius: 6px }
@media (max-width: 40rem) {
  th, td { padding: .2rem .4rem; font-size: .85rem }
  th:first-child, td:first-child { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 6.5rem }
}
summary { cursor: pointer } small { opacity: .75 }
"""


def write_report(evaluation: Evaluation, folder: Path, *, config: str, about: Mapping[str, str]) -> None:
    """Write ``confusion.png``, ``reliability.png`` and ``report.html``, which holds both and all tables.

    Args:
        evaluation: the evaluation to report.
        folder: the folder to write to.
        config: the run's configuration, as YAML.
        about: the licence and citation of each dataset, by name.
    """
    counts = evaluation.judgement.confusion()
    pictures = {
        "confusion": [png(confusion_figure(counts, dark=dark)) for dark in (False, True)],
        "reliability": [
            png(reliability_figure(evaluation.before, evaluation.after, dark=dark)) for dark in (False, True)
        ],
    }
    for name, (light, _) in pictures.items():
        with atomic_path(folder / f"{name}.png") as temporary:
            temporary.write_bytes(light)
    write_text(folder / "report.html", _page(evaluation, pictures, config, about))


def _page(
    evaluation: Evaluation, pictures: Mapping[str, Sequence[bytes]], config: str, about: Mapping[str, str]
) -> str:
    title = f"{evaluation.run}: {evaluation.title}, {evaluation.split} split"
    count = f"{evaluation.summary.n_tracks} tracks, {evaluation.interval_summary.n_intervals} intervals"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(count)}; data of {html.escape(evaluation.data_mode)} mode; tfkey {__version__}.<br>"
        "<small>In per cent, with 95 % bootstrap intervals over tracks in brackets. Figures by interval also "
        "draw whole tracks. If all tracks of a line score the same, the interval has no width; this says "
        "nothing about other tracks.</small></p>",
        *([f"<p><strong>{html.escape(evaluation.note)}</strong></p>"] if evaluation.note else []),
        "<h2>Scores</h2>",
        _scores(evaluation),
        "<h2>By mode and key</h2>",
        _by_key(evaluation),
        "<h2>Confusion</h2>",
        "<p><small>Keys in the order of the circle of fifths: one step beside the diagonal is a fifth, the "
        "diagonals of the other two quarters are relative keys. Colour is the share of the reference's "
        "tracks.</small></p>",
        _image(pictures["confusion"], "references by estimates"),
        "<h2>Confidence</h2>",
        _confidence(evaluation),
        _image(pictures["reliability"], "share of correct answers by confidence"),
        "<h2>Tracks</h2>",
        _tracks(evaluation),
        "<h2>Data and settings</h2>",
        *(f"<p><b>{html.escape(name)}</b>: {html.escape(text)}</p>" for name, text in about.items()),
        f"<details><summary>config.yaml</summary><pre>{html.escape(config)}</pre></details>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _scores(evaluation: Evaluation) -> str:
    single = evaluation.interval_summary.figures
    rows = [
        [FIGURE_TITLES[name], f"{figure}", f"{single[name]}"]
        for name, figure in evaluation.summary.figures.items()
    ]
    return _table(["", "by track", "by interval"], rows)


def _by_key(evaluation: Evaluation) -> str:
    named = [
        *evaluation.by_key_mode.items(),
        *((key.long, summary) for key, summary in evaluation.by_key.items()),
    ]
    rows = [
        [name, str(summary.n_tracks), *(f"{summary.figures[figure]}" for figure in _KEY_FIGURES)]
        for name, summary in named
    ]
    return _table(["", "tracks", *(FIGURE_TITLES[name] for name in _KEY_FIGURES)], rows)


def _confidence(evaluation: Evaluation) -> str:
    names = {
        "ece": "expected calibration error, %",
        "ece_by_chance": "  if every confidence were right, %",
        "nll": "negative log-likelihood, nats",
        "brier": "Brier score (0 to 2)",
    }
    after = evaluation.after
    rows = []
    for name, title in names.items():
        cells = [found.figures[name] if found else None for found in (evaluation.before, after)]
        spec = ".1%" if name.startswith("ece") else ".3f"
        rows.append([title, *("" if cell is None else format(cell, spec) for cell in cells)])
    calibration = evaluation.calibration
    if calibration is None:
        said = "No temperature: the run's validation data could not be judged."
    else:
        fitted_on = f"{calibration.n_tracks} validation tracks of {', '.join(calibration.datasets)}"
        if calibration.recordings:
            fitted_on = f"{calibration.n_tracks} recordings of {calibration.recordings}"
        said = f"Temperature {calibration.temperature:.3f}, fitted on {fitted_on}."
        if evaluation.is_calibration_data:
            said += " They include tracks of this evaluation, which makes its effect look better here."
    return f"<p>{html.escape(said)}</p>" + _table(["", "network alone", "with temperature"], rows)


def _tracks(evaluation: Evaluation) -> str:
    judgement = evaluation.judgement
    calibrated = evaluation.calibrated_probabilities
    sure = judgement.probabilities if calibrated is None else calibrated
    rows, wrong = [], []
    columns = (judgement.tracks, judgement.reference, judgement.estimate, sure.max(axis=1))
    for track, reference, estimate, confidence in zip(*columns, strict=True):
        found = relation(reference, estimate)
        rows.append([track, reference.long, estimate.long, str(found), f"{100 * confidence:.0f} %"])
        wrong.append(reference != estimate)
    table = _table(["track", "reference", "estimate", "relation", "confidence"], rows, wrong)
    right = len(wrong) - sum(wrong)
    return f"<details><summary>{right} of {len(wrong)} right; the list</summary>{table}</details>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool] = ()) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)

    body = [
        f"<tr{' class=wrong' if number < len(marked) and marked[number] else ''}>{line(row, 'td')}</tr>"
        for number, row in enumerate(rows)
    ]
    return f'<div class="scroll"><table><tr>{line(head, "th")}</tr>\n' + "\n".join(body) + "</table></div>"


def _image(contents: Sequence[bytes], description: str) -> str:
    light, dark = (f"data:image/png;base64,{base64.b64encode(content).decode()}" for content in contents)
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{html.escape(description)}" src="{light}"></picture>'
    )
