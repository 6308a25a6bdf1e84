"""The originals of a dataset of recordings with votes: from packages and repositories, or from a folder.

| below ``originals/<dataset>/`` | content |
|---|---|
| ``packages/<package>/<path>`` | recordings of Debian packages (``debian``) |
| ``repositories/<owner>/<name>/<path>`` | recordings of repositories (``repositories``) |
| ``attribution.csv`` | origin, path, title, artist, licence, copyright and address of every recording found |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.catalogue.parts import RecordingAudio, VoteLabels
from pipelines.catalogue.specs import DatasetSpec
from pipelines.catalogue.votes import VotedSegment, Work, read_votes
from pipelines.data_folders import DataFolders
from pipelines.download.half_files import on_disk
from pipelines.download.verified import Verified
from pipelines.originals.attribution import write_attribution
from pipelines.originals.fetch_works import PACKAGES, FetchedWorks, fetch_works
from pipelines.originals.given_works import CutSegments, find_works
from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track
from pipelines.work import Progress
from tfkey.audio.decoding import Decoding
from tfkey.audio.opening import opened
from tfkey.errors import AudioError, DataError, UsageError
from tfkey.votes import Vote, key_of, mixed

_END_TOLERANCE = 1.0  # seconds; stated lengths of MP3s are inexact, and so are cuts
_SHOWN = 3


@dataclass(frozen=True)
class Segment:
    """A part of a recording, with the votes on its key.

    Attributes:
        path: the audio file.
        start: where the segment begins in the file, in seconds.
        seconds: its length.
        votes: for each voter its 24 probabilities.
        group: the package or repository; no group is in two splits.
        name: unique within the dataset; usable as a file name.
        source: the origin and path of the recording, and the start in it, on one line.
        split: ``train`` or ``validation``.
        md5: of the whole recording.
    """

    path: Path
    start: float
    seconds: float
    votes: dict[str, Vote]
    group: str
    name: str
    source: str
    split: str
    md5: str

    def track(self, weights: Mapping[str, float]) -> Track:
        """Return the segment as a track, with the weighted mean of the votes as its soft label."""
        vote = mixed(self.votes, weights)
        place = (self.start, self.seconds)
        return Track(self.name, self.path, key_of(vote), self.split, self.source, self.group, vote, place)


@dataclass(frozen=True)
class VotedMusic:
    """What is available of a dataset of recordings with votes.

    Attributes:
        segments: the segments, in the order of the list.
        left_out: lines of the list and recordings that were left out, with the reason.
        seconds: the seconds of the segments.
        listed_seconds: the seconds of all segments of the list.
        notes: what to tell the user, one line each: packages of another version, and how much is missing.
    """

    segments: list[Segment]
    left_out: list[LeftOut]
    seconds: float
    listed_seconds: float
    notes: list[str]


def voted_music(
    spec: DatasetSpec,
    folders: DataFolders,
    *,
    source: Path | None = None,
    progress: Progress | None = None,
) -> VotedMusic:
    """Get the recordings of a dataset and return their segments.

    What cannot be fetched is left out. Files that were fetched by an earlier call are not fetched again.

    Args:
        spec: the dataset; its audio is of the kind ``recordings``, its labels of the kind ``votes``.
        folders: the folders of the dataset.
        source: a folder to use instead of the network; its files are used where they are. See
            :func:`pipelines.originals.given_works.find_works`.
        progress: called with the number of finished packages and repositories, and the total.

    Raises:
        UsageError: the dataset is not of these kinds.
        DataError: the list of votes is damaged; apt-get or git is needed and not installed; or no recording
            is available.
    """
    audio, labels = spec.audio, spec.labels
    if not isinstance(audio, RecordingAudio) or not isinstance(labels, VoteLabels):
        raise UsageError(f"dataset {spec.name}: has no recordings with votes; choose another dataset")
    listed, left_out = read_votes(labels.path, labels.weights)
    works = list(dict.fromkeys(item.work for item in listed))
    with on_disk(folders.originals):
        folders.originals.mkdir(parents=True, exist_ok=True)
    verified = Verified(folders.originals)
    cuts = CutSegments.below(source)
    if source is None:
        got = fetch_works(audio, works, folders.originals, verified, progress)
    else:
        got = FetchedWorks(*find_works(source, cuts.uncovered(listed), folders.originals, verified))
    segments, beyond = _segments(listed, got.paths, cuts, set(spec.split.validation_groups))
    left_out = [*left_out, *got.left_out, *beyond]
    if not segments:
        telling = [item for item in left_out if not item.by_choice][:_SHOWN]
        reasons = "; ".join(f"{item.source}: {item.reason}" for item in telling)
        raise DataError(f"dataset {spec.name}: none of its recordings are available ({reasons})")
    available = {segment.md5 for segment in segments}
    write_attribution(
        folders.originals / "attribution.csv",
        audio,
        [work for work in works if work.md5 in available],
        got.versions,
        folders.originals / PACKAGES,
    )
    notes = list(got.notes)
    seconds, total = (sum(item.seconds for item in items) for items in (segments, listed))
    if seconds < total:
        notes.append(_shortfall(spec.name, seconds, total))
    return VotedMusic(segments, left_out, seconds, total, notes)


def _shortfall(name: str, seconds: float, total: float) -> str:
    hours, all_hours = seconds / 3600, total / 3600
    return (
        f"dataset {name}: {hours:.1f} of {all_hours:.1f} hours are available; "
        f"{all_hours - hours:.1f} hours ({1 - seconds / total:.0%}) are missing"
    )


def _segments(
    listed: Sequence[VotedSegment], found: dict[Work, Path], cuts: CutSegments, validation: set[str]
) -> tuple[list[Segment], list[LeftOut]]:
    """Return the segments whose audio is there, and those that are beyond the end of their file."""
    segments: list[Segment] = []
    left_out: list[LeftOut] = []
    lengths: dict[Path, float] = {}
    for item in listed:
        work = item.work
        cut = cuts.find(item)
        path = cut or found.get(work)
        if path is None:
            continue
        start = 0.0 if cut else item.start
        try:
            length = lengths[path] if path in lengths else lengths.setdefault(path, stated_seconds(path))
        except AudioError as error:
            left_out.append(LeftOut(work.source, str(error)))
            continue
        if length and start + item.seconds > length + _END_TOLERANCE:
            reason = (
                f"line {item.line}: the segment from {start:g} to {start + item.seconds:g} s is beyond the "
                f"end of the file, {length:.1f} s; correct the line"
            )
            left_out.append(LeftOut(work.source, reason))
            continue
        segments.append(
            Segment(
                path,
                start,
                item.seconds,
                item.votes,
                work.origin,
                segment_name(item),
                printable(f"{work.source} at {item.start:g} s"),
                "validation" if work.origin in validation else "train",
                work.md5,
            )
        )
    return segments, left_out


def segment_name(segment: VotedSegment) -> str:
    """Return a name for a segment: origin, name of the file, and what makes it unique."""
    work = segment.work
    stem = Path(work.path).stem[:60]
    return safe_name(f"{work.origin.replace('/', '_')}-{stem}-{work.md5[:8]}-{segment.start:g}")


def stated_seconds(path: Path) -> float:
    """Return the length that an audio file states, in seconds; 0.0 if it does not state one.

    Raises:
        AudioError: it cannot be read or decoded.
    """
    with opened(path) as audio:
        decoding = Decoding(audio)
        blocks = decoding.blocks()
        next(blocks, None)
        blocks.close()  # type: ignore[attr-defined]
        return decoding.seconds
