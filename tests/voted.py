"""Tables of votes on the small dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfkey.files import csv_lines
from tfkey.votes import Vote, parse_vote, write_vote

HEADER = ["path", "start_s", "seconds", "split", "one", "two"]


def make_vote(seed: int) -> Vote:
    """A vote with four digits."""
    return parse_vote(write_vote(tuple(np.random.default_rng(seed).dirichlet(np.full(24, 0.1)))))


def write_votes(table: Path, tracks: Path) -> dict[str, Vote]:
    """List two segments of each of the small tracks, from 0.1 s and 1.1 s on, with the votes of two voters.

    Returns:
        The mean of the two votes by the name of the segment.
    """
    rows, votes = [], {}
    for number, path in enumerate(sorted(tracks.glob("*/*/*"))):
        for place in (0, 1):
            pair = [make_vote(4 * number + 2 * place + voter) for voter in (0, 1)]
            split = path.parts[-3]
            rows.append([str(path), f"{place}.1", "1.0", split, *map(write_vote, pair)])
            votes[f"{path.stem}-{place}.1s"] = tuple(np.mean(pair, axis=0).tolist())
    table.write_text(csv_lines([HEADER, *rows]))
    return votes
