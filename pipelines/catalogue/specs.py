"""The catalogue: the datasets that tfkey knows, one YAML file each in ``configs/datasets/``.

A description says what is known about a dataset before any of it is on disk: where to fetch its audio, labels
and spectrograms (mirrors in the order in which to try them), what its subsets mean, and how it is split.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from pipelines.catalogue.parts import (
    ArchiveAudio,
    ArchiveLabels,
    FileAudio,
    FolderLabels,
    ImageArchive,
    ListLabels,
    Part,
    RecordingAudio,
    SplitPolicy,
    Subset,
    SyntheticAudio,
    VoteLabels,
)
from tfkey.config import Config
from tfkey.config_layers import config_root
from tfkey.errors import ConfigError, UsageError

DEMO = "demo"
"""The dataset that is generated on this machine."""

Audio = FileAudio | ArchiveAudio | RecordingAudio | SyntheticAudio
Role = Literal["train", "test", "train+test"]


class DatasetSpec(Part):
    """What is known about a dataset before any of it is on disk.

    Attributes:
        name: the name of the dataset and of its folders.
        title: the title for people.
        role: what the dataset is for.
        licence: the licence of the audio and the labels.
        citation: what to cite.
        tracks: the total number of tracks; None if not known in advance.
        same_tracks_as: datasets with the same recordings. Used together for training or evaluation, one
            recording may end up in two splits.
        audio: where the audio is; None if it is the user's own or generated on this machine.
        labels: where the keys are; None as for ``audio``.
        images: where pre-generated spectrograms are; None if there are none.
        subsets: the subsets by name; ``default`` is used unless another one is requested.
        split: how the dataset is split.
    """

    name: str
    title: str
    role: Role = "train+test"
    licence: str
    citation: str
    tracks: int | None = Field(None, gt=0)
    same_tracks_as: tuple[str, ...] = ()
    audio: Annotated[Audio, Field(discriminator="kind")] | None = None
    labels: (
        Annotated[ListLabels | FolderLabels | ArchiveLabels | VoteLabels, Field(discriminator="kind")] | None
    ) = None
    images: ImageArchive | None = None
    subsets: dict[str, Subset] = Field(default_factory=dict)
    split: SplitPolicy = SplitPolicy()
    _folder: Path | None = PrivateAttr(None)

    def model_post_init(self, context: Any) -> None:
        """Remember the catalogue's folder, which also contains the datasets of ``same_tracks_as``."""
        self._folder = (context or {}).get("folder")

    @property
    def folder(self) -> Path | None:
        """The folder of the catalogue that contains the description; None for the user's own dataset."""
        return self._folder

    @model_validator(mode="after")
    def _check(self) -> DatasetSpec:
        if self.labels and "default" not in self.subsets:
            raise ValueError("subsets: has no 'default'")
        if isinstance(self.audio, FileAudio) and not isinstance(self.labels, ListLabels):
            raise ValueError("audio: files need labels of kind list, which names the tracks")
        if isinstance(self.audio, RecordingAudio) != isinstance(self.labels, VoteLabels):
            raise ValueError("audio: kind recordings needs labels of kind votes, and these need it")
        if self.split.validation_groups and not isinstance(self.audio, RecordingAudio):
            raise ValueError("split.validation_groups: needs audio of kind recordings")
        archives = self.audio.archives if isinstance(self.audio, ArchiveAudio) else {}
        for name, subset in self.subsets.items():
            if archives and subset.archive not in archives:
                raise ValueError(
                    f"subsets.{name}.archive: {subset.archive!r} is not one of {', '.join(archives)}"
                )
            if subset.archive and not archives:
                raise ValueError(f"subsets.{name}.archive: there are no archives to choose from")
        return self

    def subset(self, name: str = "default") -> Subset:
        """Return a subset by name.

        Raises:
            UsageError: no subset has that name.
        """
        if name not in self.subsets:
            known = ", ".join(self.subsets) or "none"
            raise UsageError(f"dataset {self.name}: subset {name!r} is unknown; known subsets: {known}")
        return self.subsets[name]

    def audio_size(self, subset: str = "default") -> int | None:
        """Return the approximate size in bytes of the audio to fetch; None if unknown."""
        if isinstance(self.audio, ArchiveAudio):
            return self.audio.archives[str(self.subset(subset).archive)].size
        return getattr(self.audio, "size", None)


def dataset_names(folder: Path | None = None) -> list[str]:
    """Return the names in the catalogue, sorted.

    Args:
        folder: the folder of the descriptions; None for those bundled with tfkey.

    Raises:
        ConfigError: the folder does not exist.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(
            f"catalogue: {str(folder)!r} is not a folder; give a folder of dataset descriptions (*.yaml)"
        )
    return sorted(path.stem for path in (folder or config_root() / "datasets").glob("*.yaml"))


def find_spec(name: str, folder: Path | None) -> DatasetSpec | None:
    """Look up a dataset that may be missing from the catalogue.

    Args:
        name: the name of the dataset.
        folder: the folder of the descriptions (``config.catalogue``); None for those bundled with tfkey.

    Returns:
        The description; None if the dataset is not in the catalogue, and therefore the user's own.

    Raises:
        ConfigError: the description is damaged (names the setting), or the folder does not exist.
    """
    if name not in dataset_names(folder):
        return None
    return _read_spec((folder or config_root() / "datasets") / f"{name}.yaml")


def load_spec(name: str, source: Path | None = None, folder: Path | None = None) -> DatasetSpec:
    """Look up a dataset.

    Args:
        name: the name in the catalogue, or any name if ``source`` is given.
        source: the user's own data.
        folder: the folder of the descriptions; None for those bundled with tfkey.

    Raises:
        UsageError: the name is unknown and there is no source; names the most similar known name.
        ConfigError: the description is damaged (names the setting), or the folder does not exist.
    """
    spec = find_spec(name, folder)
    if spec is not None:
        return spec
    if source is None:
        names = dataset_names(folder)
        raise UsageError(
            f"dataset {name!r} is not in the catalogue{near_miss(name, names)}; known: {', '.join(names)}; "
            "for your own dataset, give its source",
            remedy="source",
        )
    return own_spec(name)


def own_spec(name: str) -> DatasetSpec:
    """Return the description of the user's own dataset.

    Raises:
        UsageError: no folder can have the name.
    """
    if not is_dataset_name(name):
        raise UsageError(
            f"dataset name {name!r}: use only letters, digits, - and _; it becomes the name of a folder"
        )
    return DatasetSpec(name=name, title=name, licence="unknown (your own)", citation="none (your own)")


def check_request(config: Config, dataset: str, source: Path | None = None) -> DatasetSpec:
    """Check immediately what would otherwise fail after hours of work.

    Returns:
        The description of the dataset.

    Raises:
        UsageError: the dataset or subset is unknown, or the dataset cannot be fetched in ``config.mode``.
    """
    spec = load_spec(dataset, source, config.catalogue)
    if dataset in config.subsets:
        spec.subset(config.subsets[dataset])
    if source is None and dataset != DEMO:
        what, there = ("image archive", spec.images) if config.mode == "images" else ("audio", spec.audio)
        if there is None:
            raise UsageError(
                f"dataset {dataset}: the catalogue has no {what} to fetch; give your own source",
                remedy="source",
            )
    return spec


def is_dataset_name(name: str) -> bool:
    """Whether a name is valid for a dataset: only letters, digits, ``-`` and ``_``."""
    return name.replace("-", "").replace("_", "").isalnum()


def near_miss(name: str, names: Sequence[str]) -> str:
    """Return `` (did you mean …?)`` if one of ``names`` is similar to ``name``, else ``""``."""
    close = difflib.get_close_matches(name.lower().replace("-", "_"), names, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _read_spec(path: Path) -> DatasetSpec:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        spec = DatasetSpec.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        problems = (
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise ConfigError(
            f"{path}: {'; '.join(problem.removeprefix(': ') for problem in problems)}"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: is not a dataset description ({error})".replace("\n", " ")) from error
    if spec.name != path.stem:
        raise ConfigError(f"{path}: name: {spec.name!r} must be the name of the file, {path.stem!r}")
    return spec
