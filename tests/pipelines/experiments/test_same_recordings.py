from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.experiments.same_recordings import same_by_catalogue, same_by_content
from pipelines.prepared.manifest import PreparedDataset, Row


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (["gs_mtg", "beatport"], ["gs_mtg", "beatport"], ("gs_mtg", "beatport")),
        (["mine", "beatport"], ["ncs", "gs_mtg"], ("beatport", "gs_mtg")),
        (["gs_key"], ["gs_mtg", "gs_plus"], ("gs_key", "gs_plus")),
        (["gs_mtg", "gs_key", "ncs"], ["gs_mtg", "gs_key", "ncs"], None),
        (["gs_mtg"], ["gs_mtg"], None),
        (["mine"], ["yours"], None),
        ([], ["gs_mtg"], None),
    ],
)
def test_what_the_catalogue_says(names, others, expected) -> None:
    assert same_by_catalogue(names, others, None) == expected


@pytest.mark.parametrize("lists_the_other", ["one", "two"])
def test_one_of_the_two_says_it(tmp_path: Path, lists_the_other: str) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        same = [other] if name == lists_the_other else []
        (tmp_path / f"{name}.yaml").write_text(
            f"{{name: {name}, title: t, licence: l, citation: c, same_tracks_as: {same}}}"
        )
    assert same_by_catalogue(["one"], ["two"], tmp_path) == ("one", "two")


def test_what_digests_say() -> None:
    def dataset(name: str, **digests: str) -> PreparedDataset:
        rows = (Row("t", 0, "p", "C major", split, 1.0, "s", text) for split, text in digests.items())
        return PreparedDataset(name, "audio", Path(name), tuple(rows), {})

    one, two = dataset("one", train="a", validation="b"), dataset("two", train="c", validation="a")
    assert same_by_content([one, two], "train", [one, two], "validation") == ("one", "two")
    assert same_by_content([one, two], "validation", [one, two], "validation") is None
    assert same_by_content([one], "train", [dataset("one", validation="a")], "validation") is None
