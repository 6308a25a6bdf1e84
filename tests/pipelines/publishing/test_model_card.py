"""The facts in a model card: datasets and recordings."""

from __future__ import annotations

from pipelines.catalogue.specs import load_spec
from pipelines.catalogue.votes import read_votes
from pipelines.publishing.model_card import fill_card


def test_card_names_every_artist_licence_and_dataset() -> None:
    card = fill_card("# X\n\n{data}\n\n{recordings}\n", ["free_music", "synthetic_songs", "my_own"])
    assert "{" not in card
    assert "| my_own |  | unknown (your own data) |  |" in card
    spec = load_spec("free_music")
    votes, _ = read_votes(spec.labels.path, spec.labels.weights)  # type: ignore[union-attr]
    works = {item.work for item in votes}
    rows = [line.split(" | ") for line in card.splitlines() if line.count("|") == 6][2:]
    assert sum(int(row[3]) for row in rows) == len(works)
    for work in works:
        assert any(
            row[0] == f"| {work.origin}" and row[2] == " ".join(work.licence.split()) for row in rows
        ), work


def test_datasets_without_recordings_leave_an_empty_table() -> None:
    card = fill_card("{recordings}", ["demo"])
    assert card.splitlines()[2:] == []
