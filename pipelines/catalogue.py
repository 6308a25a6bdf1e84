"""The catalogue: the datasets that tfkey knows, one YAML file each in ``configs/datasets/``."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tfkey.config import config_root
from tfkey.errors import ConfigError, UsageError


class DatasetSpec(BaseModel):
    """What is known of a dataset before any of it is on disk.

    Attributes:
        name: by which it is asked for, and the name of its folders.
        title: for people.
        licence: of the audio and the labels.
        citation: what to cite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    licence: str
    citation: str


def dataset_names() -> list[str]:
    """The names in the catalogue, sorted."""
    return sorted(path.stem for path in (config_root() / "datasets").glob("*.yaml"))


def load_spec(name: str, source: Path | None = None) -> DatasetSpec:
    """Look a dataset up.

    Args:
        name: in the catalogue, or of the user's own choice if ``source`` is given.
        source: the user's own folder.

    Raises:
        UsageError: unknown, and no source given.
    """
    path = config_root() / "datasets" / f"{name}.yaml"
    if path.is_file():
        try:
            return DatasetSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: not a dataset description ({error})".replace("\n", " ")) from error
    if source is None:
        raise UsageError(
            f"dataset {name!r} is not in the catalogue ({', '.join(dataset_names())}); "
            "give the folder of a dataset of your own with --source"
        )
    if not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(
            f"dataset name {name!r}: use letters, digits, - and _ only; it becomes a folder's name"
        )
    return DatasetSpec(name=name, title=name, licence="unknown (your own)", citation="none (your own)")
