"""The parameters that prepared data depends on, and their comparison with those requested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfkey.config import Config
from tfkey.errors import DataError

LATER_SETTINGS = {"features.floor": ("features.db_min", "hard")}
"""Parameters that older data does not name: one that it names if they apply, and the value that they had."""


def preparation_parameters(config: Config, mode: str) -> dict[str, Any]:
    """Return the settings that prepared data depends on, flat: ``features.hop_length`` and so on.

    In audio mode, the constant-Q transform is computed during training; only the sample rate matters.
    """
    features = config.features.model_dump(mode="json")
    if mode == "audio":
        features = {"sample_rate": features["sample_rate"]}
    intervals = {
        f"intervals.{name}": value for name, value in config.intervals.model_dump(mode="json").items()
    }
    return {**{f"features.{name}": value for name, value in features.items()}, **intervals}


def selection_parameters(config: Config, dataset: str) -> dict[str, Any]:
    """Return the settings that select the tracks of prepared data and their splits, flat."""
    split = {f"split.{name}": value for name, value in config.split.model_dump(mode="json").items()}
    return {
        **split,
        f"subsets.{dataset}": config.subsets.get(dataset, "default"),
        f"voters.{dataset}": config.voters.get(dataset, {}),
    }


def check_parameters(
    where: Path, found: dict[str, Any], wanted: dict[str, Any], *, replaceable: bool = False
) -> None:
    """Compare the parameters of data with those requested.

    Args:
        where: the data.
        found: its parameters.
        wanted: the requested parameters; those missing from ``found`` count as equal, except
            :data:`LATER_SETTINGS`.
        replaceable: whether this call can replace the data; the error then offers that.

    Raises:
        DataError: parameters differ; names each with both values.
    """
    found = with_later_settings(found)
    differing = [name for name in wanted if name in found and found[name] != wanted[name]]
    if differing:
        details = ", ".join(
            f"{name}={_as_yaml(found[name])} (requested: {_as_yaml(wanted[name])})" for name in differing
        )
        replacing = ", or replace (and lose) the old data" if replaceable else ""
        raise DataError(
            f"{where}: was prepared with {details}; use the same settings, or prepare into another data "
            f"folder{replacing}",
            remedy="replace" if replaceable else "parameters",
        )


def with_later_settings(found: dict[str, Any]) -> dict[str, Any]:
    """The parameters of data, with those that did not exist when it was prepared."""
    later = {name: value for name, (sign, value) in LATER_SETTINGS.items() if sign in found}
    return {**later, **found}


def _as_yaml(value: Any) -> str:
    """Return the value of a setting as the user would write it."""
    return str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
