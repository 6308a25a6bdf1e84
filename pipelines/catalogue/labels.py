"""Labels: the key of every track of a dataset in the catalogue, or the reason why a track has no key.

People wrote the lists. Besides plain keys in every spelling, they contain several keys (``f minor / g#
major``, ``D minor | F major``), doubt (``a-a# minor``), modes other than major and minor, and ``other``,
``X`` and ``-`` for no key. A track has a label only if its annotator stated exactly one of the 24 keys; any
other track is left out with a reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.catalogue.label_files import LabelText, read_label_files, read_list
from pipelines.catalogue.parts import ArchiveLabels, FolderLabels, ListLabels, Subset
from pipelines.catalogue.specs import DatasetSpec, find_spec
from pipelines.text import printable
from pipelines.tracks import LeftOut
from tfkey.errors import DataError, KeyParseError, UsageError
from tfkey.keys import KEYS, Key, states_mode


@dataclass(frozen=True)
class TrackLabel:
    """The key of a track according to its annotator.

    Attributes:
        id: the track's number in the dataset.
        key: its key.
        md5: the MD5 of its audio file, 32 hexadecimal digits, if the list has it.
        confidence: 0 (guessed) to 2 (certain), if known.
        has_comment: whether the annotator commented on it.
        text: the label as in the list.
        group: the first track in the list with the same file: one recording may be sold twice, and must not
            end up in two splits.
    """

    id: str
    key: Key
    md5: str | None
    confidence: int | None
    has_comment: bool
    text: str
    group: str


def select_tracks(
    spec: DatasetSpec, subset: str = "default", labels: Path | None = None
) -> tuple[list[TrackLabel], list[LeftOut]]:
    """Choose the tracks of a subset.

    Args:
        spec: the dataset.
        subset: one of ``spec.subsets``.
        labels: for a dataset whose labels are in an archive: that archive, or the folder with its content.

    Returns:
        The labels, and the tracks left out, both in the order of the list (for an archive, by track number).

    Raises:
        UsageError: the subset is unknown, or the labels of the dataset are the names of its folders.
        DataError: the list or archive is missing or damaged.
    """
    chosen = spec.subset(subset)
    if isinstance(spec.labels, ListLabels):
        texts = read_list(spec.labels.path)
    elif isinstance(spec.labels, ArchiveLabels):
        if labels is None:
            raise DataError(f"dataset {spec.name}: its labels are not on disk yet; fetch keys.zip first")
        texts = read_label_files(labels)
    elif isinstance(spec.labels, FolderLabels):
        raise UsageError(f"dataset {spec.name}: its labels are the names of its folders; read those")
    else:
        raise UsageError(f"dataset {spec.name}: has no list of labels")
    selected: list[TrackLabel] = []
    left_out: list[LeftOut] = []
    counts = Counter(item.id for item in texts)
    groups = _same_files(spec)
    for item in texts:
        try:
            key = read_label(item.text)
            reason = _refusal(item, chosen)
        except KeyParseError as error:
            reason = str(error)
        if counts[item.id] > 1:
            reason = "is in the labels more than once"
        if reason is None:
            group = groups.get(item.id, item.id)
            selected.append(
                TrackLabel(item.id, key, item.md5, item.confidence, item.has_comment, item.text, group)
            )
        else:
            left_out.append(LeftOut(item.id, reason))
    return selected, left_out


def _same_files(spec: DatasetSpec) -> dict[str, str]:
    """Map each track whose file is the same as an earlier track's, by MD5, to that track.

    An archive of labels has no MD5s; those in a list of the same recordings apply to it, too.
    """
    others = (find_spec(name, spec.folder) for name in spec.same_tracks_as)
    groups: dict[str, str] = {}
    for listed in (spec, *others):
        if listed is not None and isinstance(listed.labels, ListLabels):
            first: dict[str, str] = {}
            for item in read_list(listed.labels.path):
                if item.md5 and first.setdefault(item.md5, item.id) != item.id:
                    groups.setdefault(item.id, first[item.md5])
    return groups


def _refusal(item: LabelText, subset: Subset) -> str | None:
    """Return why a subset leaves out a track, whatever its key; None if it does not."""
    if subset.min_confidence > 0 and item.confidence is None:
        return f"has no confidence; this subset takes {subset.min_confidence} and above"
    if item.confidence is not None and item.confidence < subset.min_confidence:
        return f"confidence {item.confidence}; this subset takes {subset.min_confidence} and above"
    if item.has_comment and not subset.comments:
        return "has a comment by its annotator; this subset leaves out such tracks"
    return None


def key_histogram(keys: Iterable[Key]) -> dict[Key, int]:
    """Return how often each of the 24 keys occurs, by class index."""
    counts = Counter(keys)
    return {key: counts[key] for key in KEYS}


_NO_KEY = re.compile(r"-*|x|other|none|unknown|n/?a|no key|atonal|\?+", re.IGNORECASE)
_TONIC = re.compile(r"[A-Ga-g](?:[#♯b♭]|\s*(?:sharp|flat))?")
_OTHER_MODE = re.compile(
    r"\b(?:other|modal|ionian|dorian|phrygian|lydian|mixolydian|aeolian|locrian|atonal|chromatic|pentatonic)\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[|/,;&+]|\b(?:and|or|to)\b|[A-Ga-g][#b]?\s*-\s*[A-Ga-g][#b]?\b", re.IGNORECASE)


def read_label(text: str) -> Key:
    """Read a label that states exactly one of the 24 keys.

    The spellings are those of :func:`tfkey.keys.parse_key`, except that a bare tonic (``F``) is not a label:
    these lists always include the mode if it is known. Keys separated by ``|`` are accepted if all are equal.

    Raises:
        KeyParseError: the label states no key, several keys or a mode other than major or minor, or is not
            understood; the message is the reason for leaving out the track.
    """
    shown = repr(printable(text.strip()))
    parts = [part.strip() for part in text.split("|")]
    if _NO_KEY.fullmatch(text.strip()):
        raise KeyParseError(f"label {shown} states no key")
    if _OTHER_MODE.search(text):
        raise KeyParseError(f"label {shown} states a mode that is neither major nor minor")
    if any(_TONIC.fullmatch(part) for part in parts):
        raise KeyParseError(f"label {shown} states no mode")
    try:
        keys = {Key.parse(part) for part in parts}
    except KeyParseError:
        several = _BETWEEN.search(text)
        reason = "states several keys, or doubt between them" if several else "is not understood as a key"
        raise KeyParseError(f"label {shown} {reason}") from None
    if not all(map(states_mode, parts)):
        raise KeyParseError(f"label {shown} states no mode")
    if len(keys) > 1:
        raise KeyParseError(f"label {shown} states several keys, or doubt between them")
    return keys.pop()
