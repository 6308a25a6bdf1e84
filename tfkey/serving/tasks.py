"""What a worker process does with a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkey.errors import AudioError
from tfkey.keys import N_CLASSES, Key

if TYPE_CHECKING:
    from tfkey.inference.estimator import KeyEstimator

_NOTATIONS = {"long": "long", "short": "short", "camelot": "camelot", "open_key": "openkey"}
_MIXES = ("same", "fifth up", "fifth down", "relative")


@dataclass(frozen=True)
class EstimateTask:
    """Name the key of a recording.

    Attributes:
        path: the file.
        name: its name, for the answer and for errors.
        step_seconds: see :meth:`tfkey.KeyEstimator.estimate`.
        min_confidence: an estimate with a lower confidence counts as no key.
        picture: whether the answer contains what one draws of the recording.
        max_seconds: the greatest length of the recording.
    """

    path: Path
    name: str
    step_seconds: float | None = None
    min_confidence: float = 0.0
    picture: bool = False
    max_seconds: float | None = None

    def do(self, estimator: KeyEstimator) -> dict[str, Any]:
        """Return what is said of the recording, as plain values for JSON.

        Raises:
            AudioError: the file cannot be read; the message does not contain its path.
            TooLongError: the recording is longer than ``max_seconds``.
        """
        from tfkey.audio.recordings import open_recording
        from tfkey.inference.many_files import confident

        features = estimator.metadata.features
        try:
            recording = open_recording(self.path, features.sample_rate, longest_seconds=self.max_seconds)
            found = estimator.estimate(recording, step_seconds=self.step_seconds)
            fields = answer_of(confident(found, self.min_confidence), self.name)
            if self.picture:
                from tfkey.inference.portrait import portrait

                fields["picture"] = portrait(recording, features).as_json()
        except AudioError as error:
            # The path is the server's own; the client knows the file by another name.
            text = str(error).removeprefix(f"{self.path}: ").replace(str(self.path), "the file")
            raise type(error)(text) from error
        return fields


def answer_of(estimate: Any, name: str) -> dict[str, Any]:
    """Return what the server says of a recording, as plain values for JSON.

    Args:
        estimate: the :class:`tfkey.inference.estimator.Estimate`.
        name: the file's name.

    Returns:
        the fields of ``tfkey predict --format json --top 24 --over-time``, and ``notations`` and
        ``mixes_with``.
    """
    from tfkey.inference.answers import answer, over_time, ranking

    key = estimate.key
    ranked = [
        {**fields, "notations": notations(found)}
        for fields, (found, _) in zip(ranking(estimate, N_CLASSES), estimate.ranked(N_CLASSES), strict=True)
    ]
    return {
        "file": name,
        **answer(estimate),
        "notations": None if key is None else notations(key),
        "ranked": ranked,
        "mixes_with": [] if key is None else mixes_with(key),
        "segments": over_time(estimate),
    }


def notations(key: Key) -> dict[str, str]:
    """Return a key in the notations that people mix by."""
    return {name: key.write(notation) for name, notation in _NOTATIONS.items()}


def mixes_with(key: Key) -> list[dict[str, Any]]:
    """Return a key and those that differ from it in one note at most: key, relation, notations."""
    keys = (key, key.fifth_up, key.fifth_down, key.relative)
    return [
        {"key": other.long, "relation": relation, "notations": notations(other)}
        for relation, other in zip(_MIXES, keys, strict=True)
    ]
