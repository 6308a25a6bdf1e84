"""Datasets that hold the same recordings: what one of them is trained on is no test for the other.

The catalogue says so of some datasets, whatever is on disk; digests tell it of any that were prepared alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.catalogue.specs import find_spec
from pipelines.prepared.manifest import PreparedDataset


def same_by_catalogue(
    names: Sequence[str], others: Sequence[str], catalogue: Path | None
) -> tuple[str, str] | None:
    """The first two datasets of which the catalogue says that they hold the same recordings.

    Args:
        names: one of them is among these.
        others: the other one is among these.
        catalogue: folder of the descriptions; None for those that come with tfkey.

    Returns:
        Their names; None if there are no two, or only two of one name.
    """
    specs = {name: find_spec(name, catalogue) for name in (*names, *others)}
    same = {name: spec.same_tracks_as if spec else () for name, spec in specs.items()}
    for one in names:
        for other in others:
            if one != other and (other in same[one] or one in same[other]):
                return one, other
    return None


def same_by_content(
    some: Sequence[PreparedDataset], split: str, others: Sequence[PreparedDataset], other_split: str
) -> tuple[str, str] | None:
    """The first two datasets of different names of which one's split holds recordings of the other's."""
    for one in some:
        digests = {row.digest for row in one.split(split)}
        for other in others:
            if other.name != one.name and any(row.digest in digests for row in other.split(other_split)):
                return one.name, other.name
    return None
