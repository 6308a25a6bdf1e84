"""Datasets with the same recordings: a network trained on one of them cannot be tested on the other.

The catalogue names such datasets, whatever is on disk; digests show it for any datasets prepared alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.catalogue.specs import find_spec
from pipelines.prepared.manifest import PreparedDataset


def same_by_catalogue(
    names: Sequence[str], others: Sequence[str], catalogue: Path | None
) -> tuple[str, str] | None:
    """Find the first two datasets that have the same recordings according to the catalogue.

    Args:
        names: candidates for the first dataset.
        others: candidates for the second dataset.
        catalogue: the folder of the descriptions; None for those bundled with tfkey.

    Returns:
        Their names, which differ; None if there is no such pair.
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
    """Find the first two datasets with different names whose given splits share a recording."""
    for one in some:
        digests = {row.digest for row in one.split(split)}
        for other in others:
            if other.name != one.name and any(row.digest in digests for row in other.split(other_split)):
                return one.name, other.name
    return None
