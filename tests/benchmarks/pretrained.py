"""The bundled network beside other systems on labelled recordings: ``python -m tests.benchmarks.pretrained``.

The table (``--table``, CSV) names recordings, relative to its own folder, in the columns path, key and
optionally set. Every further column contains the answers of another system; a cell is empty where the system
could not read the file, and ``-`` where it read the file and named no key, which counts as wrong.

It prints, per set and for all sets together, the MIREX weighted score (fifths both ways) and the share of
right keys of the network with 95 % bootstrap intervals over recordings. For each other system, it prints the
same of both on the files that this system could read, and the difference (network minus system) with the
interval of the paired bootstrap, as ``tfkey compare`` does for two tables.

``--answers FILE`` keeps the network's answers for ``tfkey compare``; a later call with the same file reads
them from it. ``--write-scores`` writes the scores into the network's ``tfkey.json``, where ``tfkey models``
finds them. ``--card TEMPLATE`` writes the model card beside it, with this report in place of ``{scores}``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.publishing.model_card import fill_card
from tests.benchmarks.results import add_option, figure, recordings, write_results
from tests.benchmarks.results import table as result_table
from tfkey.errors import DataError
from tfkey.files import write_csv, write_text
from tfkey.inference.bundle import CARD, read_metadata, write_metadata
from tfkey.inference.many_files import Judging, Model, judge_files
from tfkey.inference.pretrained import pretrained_folder
from tfkey.key_tables import parse_key, read_rows
from tfkey.keys import Key
from tfkey.scoring.comparison import Comparison, Predictions, compare, read_predictions
from tfkey.scoring.mirex import Figure

OURS, POOLED = "tfkey", "all"
KNOWN_COLUMNS = ("path", "key", "set")


@dataclass(frozen=True)
class Table:
    """Labelled recordings and the answers of other systems.

    Attributes:
        path: the table.
        keys: the right key by recording.
        sets: the recordings by set; the last one holds all of them.
        others: the answers by system and recording; None for no key, absent for a file that it cannot read.
    """

    path: Path
    keys: dict[str, Key]
    sets: dict[str, list[str]]
    others: dict[str, dict[str, Key | None]]


def read_table(path: Path) -> Table:
    """Read the table.

    Raises:
        DataError: it is not such a table, or a row has no key.
    """
    keys: dict[str, Key] = {}
    sets: dict[str, list[str]] = {}
    others: dict[str, dict[str, Key | None]] = {}
    for row in read_rows(path, ("path",), ("key",)):
        key = parse_key(path, row.line, row.key_text)
        if key is None or not row.name:
            raise DataError(f"{path}, line {row.line}: has no path or no key; fill it in, or delete the line")
        keys[row.name] = key
        sets.setdefault(row.cells.get("set", "").strip() or POOLED, []).append(row.name)
        for system, text in row.cells.items():
            if system and system not in KNOWN_COLUMNS:
                others.setdefault(system, {})
                if text.strip():
                    others[system][row.name] = parse_key(path, row.line, text)
    sets.pop(POOLED, None)
    return Table(path, keys, {**sets, POOLED: list(keys)}, others)


def judge(table: Table, model: Model, workers: int) -> dict[str, Key | None]:
    """Name the keys of the recordings from audio; a file that cannot be analysed counts as wrong."""
    files = {table.path.parent / name: name for name in table.keys}
    answers: dict[str, Key | None] = {}
    for outcome in judge_files(list(files), Judging(model), workers):
        answers[files[outcome.path]] = outcome.estimate.key if outcome.estimate else None
        if outcome.error is not None:
            print(f"{outcome.path}: {outcome.error}")
    return answers


def scores(table: Table, answers: dict[str, Key | None]) -> dict[str, Comparison]:
    """The network's own figures by set: its comparison with itself, which counts no key as wrong."""
    return {name: compared(table, members, answers, answers) for name, members in table.sets.items()}


def compared(
    table: Table, members: Sequence[str], theirs: dict[str, Key | None], ours: dict[str, Key | None]
) -> Comparison:
    """Compare a system (A) with the network (B) on the recordings that both could read."""
    first, second = (
        Predictions(table.path, {name: answers[name] for name in members if name in answers}, {})
        for answers in (theirs, ours)
    )
    return compare(first, second, table.keys)


def lines(table: Table, ours: dict[str, Key | None]) -> Iterator[str]:
    """Yield the report, as Markdown tables."""
    yield "| set | system | files | MIREX weighted | correct |\n|---|---|---|---|---|"
    for name, found in scores(table, ours).items():
        weighted, correct = (found.figures[figure].b for figure in ("weighted", "correct"))
        yield f"| {name} | {OURS} | {found.n_tracks} | {weighted} | {correct} |"
    yield ""
    yield "| set | beside | files | its weighted | ours | ours - its | p | its correct | ours | ours - its |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for system, theirs in table.others.items():
        for name, members in table.sets.items():
            if not any(member in theirs for member in members):
                yield f"| {name} | {system} | 0 |" + " |" * 7
                continue
            found = compared(table, members, theirs, ours)
            weighted, correct = (found.figures[figure] for figure in ("weighted", "correct"))
            yield (
                f"| {name} | {system} | {found.n_tracks} | {weighted.a} | {weighted.b} "
                f"| {weighted.difference:+.1%} | {weighted.p_value:.4f} | {correct.a} | {correct.b} "
                f"| {correct.difference:+.1%} |"
            )


def results(table: Table, ours: dict[str, Key | None]) -> dict[str, dict[str, Any]]:
    """The figures and tables of a results file."""
    own, figures = scores(table, ours), {}
    for name, found in own.items():
        weighted, correct = (found.figures[kind].b for kind in ("weighted", "correct"))
        figures[name] = _percent(f"MIREX weighted, {name}", weighted)
        figures[f"{name}-correct"] = _percent(f"right keys, {name}", correct)
        figures[f"{name}-files"] = figure(f"recordings, {name}", found.n_tracks, form="d")
    rows = [[OURS, *(f"{found.figures['weighted'].b}" for found in own.values())]]
    files_of = {frozenset(table.keys)}
    for system, theirs in table.others.items():
        cells, ours_on_them = [system], [f"{OURS}, on the files that {system} read"]
        for name, members in table.sets.items():
            if not any(member in theirs for member in members):
                cells.append("")
                ours_on_them.append("")
                continue
            found = compared(table, members, theirs, ours)
            weighted, shared = found.figures["weighted"], f"{system}-{name}"
            cells.append(f"{weighted.a}")
            ours_on_them.append(f"{weighted.b}")
            figures |= {
                shared: _percent(f"{system} on the files that it read, {name}", weighted.a),
                f"{shared}-files": figure(f"files that {system} read, {name}", found.n_tracks, form="d"),
                f"{shared}-ours": _percent(f"{OURS} on the same, {name}", weighted.b),
                f"{shared}-difference": _percent(f"{OURS} - {system}, {name}", weighted.difference, "+.1f"),
            }
        if frozenset(theirs) not in files_of:
            rows.append(ours_on_them)
            files_of.add(frozenset(theirs))
        rows.append(cells)
    report = "\n".join(lines(table, ours)).split("\n\n")
    columns = ["", *(f"{name} ({found.n_tracks})" for name, found in own.items())]
    tables = {"summary": result_table("MIREX weighted", columns, rows)}
    for label, text in zip(("scores", "beside"), report, strict=True):
        head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
        tables[label] = result_table(label, head, body)
    return {"figures": figures, "tables": tables}


def _percent(what: str, found: Figure, form: str = ".1f") -> dict[str, Any]:
    value, low, high = (100 * number for number in (found.value, found.low, found.high))
    return figure(what, value, (low, high), form=form, spread="interval")


def write_scores(folder: Path, table: Table, ours: dict[str, Key | None]) -> None:
    """Write the scores into ``tfkey.json``."""
    stated: dict[str, Any] = {}
    for name, found in scores(table, ours).items():
        weighted, correct = (found.figures[figure].b for figure in ("weighted", "correct"))
        numbers = {"weighted": weighted.value, "low": weighted.low, "high": weighted.high}
        rounded = {label: round(number, 6) for label, number in numbers.items()}
        stated[name] = {"tracks": found.n_tracks, **rounded, "correct": round(correct.value, 6)}
    write_metadata(folder, {**read_metadata(folder), "scores": stated})


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="CSV: path, key, set and other systems")
    parser.add_argument("--model", type=Path, help="an export (default: the network that comes with tfkey)")
    parser.add_argument("--answers", type=Path, help="CSV file that keeps the network's answers")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write-scores", action="store_true")
    parser.add_argument("--card", type=Path, help="template of the model card to write beside the network")
    add_option(parser)
    options = parser.parse_args()
    table, folder = read_table(options.table), options.model or pretrained_folder()
    if options.answers is not None and options.answers.is_file():
        ours = read_predictions(options.answers).keys
    else:
        ours = judge(table, Model("export", folder), options.workers)
        if options.answers is not None:
            rows = ([name, key.long if key else "-"] for name, key in ours.items())
            write_csv(options.answers, ("path", "key"), rows)
    print(f"{folder}\n")
    for line in lines(table, ours):
        print(line)
    sets = {name: members for name, members in table.sets.items() if name != POOLED} or table.sets
    write_results(
        options.results, "The network that comes with tfkey, beside other systems", **results(table, ours),
        packages=("ai-edge-litert", "numpy"), judged=recordings(sets),
    )  # fmt: skip
    if options.write_scores:
        write_scores(folder, table, ours)
    if options.card is not None:
        datasets = read_metadata(folder)["trained_on"]
        template = options.card.read_text(encoding="utf-8")
        text = fill_card(template, datasets, "\n".join(lines(table, ours)))
        write_text(folder / CARD, text)


if __name__ == "__main__":
    main()
