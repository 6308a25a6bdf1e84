"""What the bundled datasets contain: ``python -m tests.benchmarks.catalogue``.

Counts the recordings, packages, repositories and hours of ``free_music`` by its list of votes, and the clips
of the synthetic datasets by their descriptions. Nothing is fetched.
"""

from __future__ import annotations

import argparse

from pipelines.catalogue.parts import VoteLabels
from pipelines.catalogue.specs import load_spec
from pipelines.catalogue.votes import read_votes
from tests.benchmarks.results import add_option, figure, write_results

ORIGINS = {"debian": "packages of Debian", "git": "public repositories"}
SYNTHETIC = ("electronic", "accompaniments", "songs", "tunes")


def counted() -> dict[str, dict[str, object]]:
    """The figures of a results file."""
    labels = load_spec("free_music").labels
    assert isinstance(labels, VoteLabels)
    segments, _ = read_votes(labels.path, labels.weights)
    hours = sum(segment.seconds for segment in segments) / 3600
    figures = {"hours": figure("hours of free_music", hours, form=".0f")}
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
