"""The parts of a model card that are facts: what a network was trained on, and who made it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.catalogue.parts import VoteLabels
from pipelines.catalogue.specs import DatasetSpec, find_spec
from pipelines.catalogue.votes import Work, read_votes

DATA, RECORDINGS, SCORES = "{data}", "{recordings}", "{scores}"
"""Places in a template that :func:`fill_card` fills in."""


# Comments are for those who edit a template, such as marks of figures; a card is also read in a terminal.
_MARK = re.compile(r"<!--.*?-->", re.DOTALL)
_NO_SCORES = "It has not been scored on recordings with known keys."


def fill_card(
    template: str, datasets: Sequence[str], scores: str | None = None, catalogue: Path | None = None
) -> str:
    """Fill in a template of a model card.

    Args:
        template: Markdown; :data:`DATA` becomes a table of the datasets with their licences and citations,
            :data:`RECORDINGS` a table of all recordings by origin, artist and licence. Comments are left out.
        datasets: the names of the datasets that the network was trained on.
        scores: Markdown that :data:`SCORES` becomes; None to say that there are none.
        catalogue: the folder of the descriptions; None for those bundled with tfkey.

    Raises:
        DataError: a list of recordings is damaged.
    """
    specs = {name: find_spec(name, catalogue) for name in datasets}
    rows = [
        [name, spec.title, spec.licence, spec.citation] if spec else [name, "", "unknown (your own data)", ""]
        for name, spec in specs.items()
    ]
    works = [work for spec in specs.values() if spec for work in _works(spec)]
    data = _table(["dataset", "content", "licence", "citation"], rows)
    filled = _MARK.sub("", template).replace(SCORES, scores or _NO_SCORES)
    return filled.replace(DATA, data).replace(RECORDINGS, _recordings(works))


def _works(spec: DatasetSpec) -> list[Work]:
    if not isinstance(spec.labels, VoteLabels):
        return []
    votes, _ = read_votes(spec.labels.path, spec.labels.weights)
    return list(dict.fromkeys(item.work for item in votes))


def _recordings(works: Iterable[Work]) -> str:
    counts: Counter[tuple[str, str, str]] = Counter()
    titles: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for work in works:
        place = work.origin, work.artist or work.holders or "not stated", work.licence
        counts[place] += 1
        titles[place].add(work.title or Path(work.path).stem)
    rows = [
        [origin, artist, licence, str(count), ", ".join(sorted(titles[origin, artist, licence]))]
        for (origin, artist, licence), count in sorted(counts.items())
    ]
    return _table(["package or repository", "artist", "licence", "recordings", "titles"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in line)} |" for line in lines
    )
