"""The networks that come with tfkey, by name: ``tfkey/weights/<name>/``.

Each folder is an export in the format litert, with a model card beside it:

| file | content |
|---|---|
| ``network.tflite`` | the network |
| ``tfkey.json`` | its metadata (:mod:`tfkey.inference.bundle`), and optionally its scores |
| ``card.md`` | the model card, in Markdown |

To add a network, add such a folder; to make it the default, change :data:`DEFAULT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfkey.errors import DataError, UsageError
from tfkey.inference.bundle import CARD, METADATA, open_bundle, read_metadata

DEFAULT = "general"
"""The network that is used unless another one is named."""

FOLDER = Path(__file__).parents[1] / "weights"
"""The folder that contains a folder for each network."""


@dataclass(frozen=True)
class Score:
    """The score of a network on one set of recordings; all but ``tracks`` are fractions, 0 to 1.

    Attributes:
        tracks: the number of recordings.
        weighted: the MIREX weighted score, fifths in both directions.
        low: the lower end of its 95 % interval.
        high: the upper end of its 95 % interval.
        correct: the share of recordings whose key is right.
    """

    tracks: int
    weighted: float
    low: float
    high: float
    correct: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Score:
        """Return the score in an entry of ``scores`` in ``tfkey.json``.

        Raises:
            KeyError, TypeError, ValueError: a value is missing or has the wrong type.
        """
        numbers = (float(values[name]) for name in ("weighted", "low", "high", "correct"))
        return cls(int(values["tracks"]), *numbers)


@dataclass(frozen=True)
class Pretrained:
    """A network that comes with tfkey.

    Attributes:
        name: its name.
        path: its folder.
        is_default: whether it is the one used unless another one is named.
        size: the size of the network's file in bytes.
        parameters: the number of its parameters; None if the metadata does not state it.
        licence: the licence of the weights.
        data_licences: the licences of the data that it was trained on, by dataset.
        scores: its scores by the name of the set of recordings; empty if the metadata states none.
        description: what it is, in words.
        card: its model card in Markdown; empty if there is no card.
    """

    name: str
    path: Path
    is_default: bool
    size: int
    parameters: int | None
    licence: str
    data_licences: dict[str, str]
    scores: dict[str, Score]
    description: str
    card: str

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the card as plain values for JSON."""
        values = asdict(self)
        del values["card"]
        return {**values, "path": str(self.path)}


def pretrained_names() -> list[str]:
    """Return the names of the networks that come with tfkey: the default one first, then by alphabet."""
    names = sorted(path.parent.name for path in FOLDER.glob(f"*/{METADATA}"))
    return sorted(names, key=lambda name: name != DEFAULT)


def pretrained_folder(name: str | None = None) -> Path:
    """Return the folder of a network.

    Args:
        name: its name; None for the default one.

    Raises:
        UsageError: no network of that name comes with tfkey; names those that do.
    """
    name, names = name or DEFAULT, pretrained_names()
    if name not in names:
        raise UsageError(
            f"network {name!r} does not come with tfkey; available: {', '.join(names) or 'none'}"
        )
    return FOLDER / name


def find_pretrained(name: str | None = None) -> Pretrained:
    """Describe a network that comes with tfkey, without loading it.

    Args:
        name: its name; None for the default one.

    Raises:
        UsageError: no network of that name comes with tfkey; names those that do.
        DataError: its folder is damaged.
    """
    folder = pretrained_folder(name)
    bundle, values = open_bundle(folder), read_metadata(folder)
    card = folder / CARD
    try:
        parameters, licence = values.get("parameters"), values.get("licence", {})
        return Pretrained(
            name=folder.name,
            path=folder,
            is_default=folder.name == DEFAULT,
            size=bundle.network.stat().st_size,
            parameters=None if parameters is None else int(parameters),
            licence=str(licence.get("tfkey", "unknown")),
            data_licences={str(key): str(text) for key, text in licence.get("data", {}).items()},
            scores={str(key): Score.of(score) for key, score in values.get("scores", {}).items()},
            description=bundle.metadata.description,
            card=card.read_text(encoding="utf-8") if card.is_file() else "",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / METADATA}: is damaged ({error}); install tfkey again") from error
