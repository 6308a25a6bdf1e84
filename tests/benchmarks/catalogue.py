"""What the bundled datasets contain: ``python -m tests.benchmarks.catalogue``.

Counts the recordings, packages, repositories and hours of ``free_music`` and ``free_games`` by their lists of
votes, and the clips of the synthetic datasets by their descriptions. Nothing is fetched.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipelines.catalogue.parts import VoteLabels
from pipelines.catalogue.specs import load_spec
from pipelines.catalogue.votes import VotedSegment, read_votes
from tests.benchmarks.results import add_option, figure, write_results

ORIGINS = {"debian": "packages of Debian", "git": "public repositories"}
SYNTHETIC = ("electronic", "accompaniments", "songs", "tunes")


def voted(name: str) -> list[VotedSegment]:
    """The segments in the list of votes of a dataset."""
    labels = load_spec(name).labels
    assert isinstance(labels, VoteLabels)
    return read_votes(labels.path, labels.weights)[0]


def hours(segments: Sequence[VotedSegment]) -> float:
    """The hours of segments."""
    return sum(segment.seconds for segment in segments) / 3600


def counted() -> dict[str, dict[str, object]]:
    """The figures of a results file."""
    segments, games = voted("free_music"), voted("free_games")
    figures = {"hours": figure("hours of free_music", hours(segments), form=".0f")}
    figures["games-hours"] = figure("hours of free_games", hours(games), form=".0f")
    recordings = len({segment.work for segment in games})
    figures["games-recordings"] = figure("recordings in free_games", recordings, form="d")
    packages = len({segment.work.origin for segment in games})
    figures["games-packages"] = figure("packages in free_games", packages, form="d")
    for kind, title in ORIGINS.items():
        works = {segment.work for segment in segments if segment.work.kind == kind}
        figures[f"{kind}-recordings"] = figure(f"recordings in {title}", len(works), form="d")
        origins = {work.origin for work in works}
        figures[f"{kind}-origins"] = figure(title, len(origins), form="d")
    for name in SYNTHETIC:
        clips = load_spec(f"synthetic_{name}").tracks
        assert clips is not None
        figures[name] = figure(f"clips of synthetic_{name}", clips, form=",")
    return figures


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_option(parser)
    options = parser.parse_args()
    figures = counted()
    for found in figures.values():
        print(f"{found['what']}: {found['value']}")
    write_results(options.results, "The datasets that come with tfkey", figures=figures)


if __name__ == "__main__":
    main()
