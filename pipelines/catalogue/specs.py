"""The catalogue: the datasets that tfkey knows, one YAML file each in ``configs/datasets/``.

A description says what is known of a dataset before any of it is on disk: where its audio, its labels and its
pictures can be fetched (mirrors in the order in which to try them), what its subsets mean, how it is split.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlparse

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tfkey.config import Config, config_root
from tfkey.errors import ConfigError, UsageError

DEMO = "demo"
"""The dataset that is made on this machine."""

Role = Literal["train", "test", "train+test"]


def _check_url(url: str) -> str:
    if urlparse(url).scheme not in {"http", "https", "ftp", "file"}:
        raise ValueError(f"{url!r} is no http, https, ftp or file address")
    return url


def _check_checksum(checksum: str) -> str:
    if not re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum):
        raise ValueError(f"{checksum!r} is no md5: or sha256: with lower-case hexadecimal digits")
    return checksum


Mirrors = Annotated[tuple[Annotated[str, AfterValidator(_check_url)], ...], Field(min_length=1)]
Checksum = Annotated[str, AfterValidator(_check_checksum)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Archive(_Part):
    """A file to fetch: ordered mirrors, ``md5:`` or ``sha256:`` if it is known, about how many bytes."""

    urls: Mirrors
    checksum: Checksum | None = None
    size: int | None = Field(None, gt=0)


class ImageArchive(Archive):
    """An archive of PNGs ``<dataset>/[<split>/]<key>/<file>.png``; ``splits`` are those that it names."""

    splits: tuple[Literal["train", "validation", "test"], ...] = ()


class FileAudio(_Part):
    """Audio as one file a track: mirrors as templates with ``{id}``; its MD5 is in the list of labels."""

    kind: Literal["files"]
    urls: Mirrors
    size: int | None = Field(None, gt=0)

    @field_validator("urls")
    @classmethod
    def _names_the_track(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if "{id}" not in url:
                raise ValueError(f"{url!r} has no {{id}} for the track's number")
        return urls

    def track_urls(self, track: str) -> tuple[str, ...]:
        """The mirrors of one track's file, in order."""
        return tuple(url.replace("{id}", track) for url in self.urls)


class ArchiveAudio(_Part):
    """Audio in archives; each is whole in itself, and a subset says which of them it takes."""

    kind: Literal["archives"]
    archives: dict[str, Archive] = Field(min_length=1)


class ListLabels(_Part):
    """Labels from a list that comes with tfkey: a CSV file with the columns track, key and md5."""

    kind: Literal["list"]
    path: Path

    @field_validator("path")
    @classmethod
    def _beside_the_description(cls, path: Path, info: ValidationInfo) -> Path:
        folder = (info.context or {}).get("folder")
        return folder / path if folder else path


class FolderLabels(_Part):
    """Labels from the names of the folders that the audio lies in."""

    kind: Literal["folders"]


class ArchiveLabels(_Part):
    """Labels from an archive that holds one text file a track."""

    kind: Literal["archive"]
    archive: Archive


class Subset(_Part):
    """A choice among the tracks of a dataset; tracks without exactly one major or minor key are in none.

    Attributes:
        meaning: in words.
        min_confidence: tracks below this are left out (0, 1 or 2; 0 keeps even those that state none).
        comments: whether tracks that their annotator commented on are taken.
        archive: of several archives, the one to fetch.
        tracks: how many there are, if that is known beforehand.
    """

    meaning: str
    min_confidence: int = Field(0, ge=0, le=2)
    comments: bool = True
    archive: str | None = None
    tracks: int | None = Field(None, gt=0)


class SplitPolicy(_Part):
    """Shares of the tracks of a dataset.

    Attributes:
        test: share of the tracks to test on: 1 for a dataset that nothing may be trained on, 0 for one that
            is not tested on; None for the configured share (``split.test``).
        validation: share to choose the best network by; None for the configured share (``split.validation``)
            of a dataset that is trained on at all.
    """

    test: float | None = Field(None, ge=0, le=1)
    validation: float | None = Field(None, ge=0, lt=1)


class DatasetSpec(_Part):
    """What is known of a dataset before any of it is on disk.

    Attributes:
        name: by which it is asked for, and the name of its folders.
        title: for people.
        role: what it is for.
        licence: of the audio and the labels.
        citation: what to cite.
        tracks: how many there are in all; None if that is not known beforehand.
        same_tracks_as: datasets that hold the same recordings. Trained or judged on together, one
            recording can stand on two sides.
        audio: where the audio is; None if it is the user's own or made on this machine.
        labels: where the keys are; None as for ``audio``.
        images: where pre-generated spectrograms are; None if there are none.
        subsets: by name; the one named ``default`` is taken unless another is asked for.
        split: how it is split.
    """

    name: str
    title: str
    role: Role = "train+test"
    licence: str
    citation: str
    tracks: int | None = Field(None, gt=0)
    same_tracks_as: tuple[str, ...] = ()
    audio: Annotated[FileAudio | ArchiveAudio, Field(discriminator="kind")] | None = None
    labels: Annotated[ListLabels | FolderLabels | ArchiveLabels, Field(discriminator="kind")] | None = None
    images: ImageArchive | None = None
    subsets: dict[str, Subset] = Field(default_factory=dict)
    split: SplitPolicy = SplitPolicy()
    _folder: Path | None = PrivateAttr(None)

    def model_post_init(self, context: Any) -> None:
        """Remember the catalogue that it is in, which also holds the datasets of ``same_tracks_as``."""
        self._folder = (context or {}).get("folder")

    @property
    def folder(self) -> Path | None:
        """The catalogue that it was read from; None for a dataset of the user's own."""
        return self._folder

    @model_validator(mode="after")
    def _check(self) -> DatasetSpec:
        if self.labels and "default" not in self.subsets:
            raise ValueError("subsets: has no 'default'")
        if isinstance(self.audio, FileAudio) and not isinstance(self.labels, ListLabels):
            raise ValueError("audio: files need labels of kind list, which names the tracks")
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
        """A subset by name.

        Raises:
            UsageError: no dataset has that name.
        """
        if name not in self.subsets:
            known = ", ".join(self.subsets) or "none"
            raise UsageError(f"dataset {self.name}: subset {name!r} is unknown; there are: {known}")
        return self.subsets[name]

    def audio_size(self, subset: str = "default") -> int | None:
        """About how many bytes of audio there are to fetch, or None if that is not known."""
        if isinstance(self.audio, ArchiveAudio):
            return self.audio.archives[str(self.subset(subset).archive)].size
        return self.audio.size if self.audio else None


def dataset_names(folder: Path | None = None) -> list[str]:
    """The names in the catalogue, sorted.

    Args:
        folder: of the descriptions; None for those that come with tfkey.

    Raises:
        ConfigError: there is no such folder.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(
            f"catalogue: {str(folder)!r} is no folder; give one of dataset descriptions (*.yaml)"
        )
    return sorted(path.stem for path in (folder or config_root() / "datasets").glob("*.yaml"))


def find_spec(name: str, folder: Path | None) -> DatasetSpec | None:
    """Look a dataset up that need not be in the catalogue.

    Args:
        name: of the dataset.
        folder: of the descriptions (``config.catalogue``); None for those that come with tfkey.

    Returns:
        Its description; None if the catalogue has none, so that it is the user's own.

    Raises:
        ConfigError: its description is damaged; names the setting. Or no such folder.
    """
    if name not in dataset_names(folder):
        return None
    return _read_spec((folder or config_root() / "datasets") / f"{name}.yaml")


def load_spec(name: str, source: Path | None = None, folder: Path | None = None) -> DatasetSpec:
    """Look a dataset up.

    Args:
        name: in the catalogue, or of the user's own choice if ``source`` is given.
        source: the user's own data.
        folder: of the descriptions; None for those that come with tfkey.

    Raises:
        UsageError: unknown, and no source given; names the nearest name there is.
        ConfigError: its description is damaged; names the setting. Or no such folder.
    """
    spec = find_spec(name, folder)
    if spec is not None:
        return spec
    if source is None:
        names = dataset_names(folder)
        raise UsageError(
            f"dataset {name!r} is not in the catalogue{near_miss(name, names)}; known: {', '.join(names)}; "
            "for a dataset of your own, give its source",
            remedy="source",
        )
    return own_spec(name)


def own_spec(name: str) -> DatasetSpec:
    """What is known of a dataset of the user's own.

    Raises:
        UsageError: a name that no folder can have.
    """
    if not is_dataset_name(name):
        raise UsageError(
            f"dataset name {name!r}: use letters, digits, - and _ only; it becomes a folder's name"
        )
    return DatasetSpec(name=name, title=name, licence="unknown (your own)", citation="none (your own)")


def check_request(config: Config, dataset: str, source: Path | None = None) -> DatasetSpec:
    """Find out what can be known at once to fail, before hours of work.

    Returns:
        The dataset's description.

    Raises:
        UsageError: an unknown dataset or subset; a dataset that cannot be fetched in ``config.mode``.
    """
    spec = load_spec(dataset, source, config.catalogue)
    if dataset in config.subsets:
        spec.subset(config.subsets[dataset])
    if source is None and dataset != DEMO:
        what, there = ("image archive", spec.images) if config.mode == "images" else ("audio", spec.audio)
        if there is None:
            raise UsageError(
                f"dataset {dataset}: the catalogue has no {what} of it to fetch; give a source of your own",
                remedy="source",
            )
    return spec


def is_dataset_name(name: str) -> bool:
    """Whether a name can be a dataset's: letters, digits, ``-`` and ``_`` only."""
    return name.replace("-", "").replace("_", "").isalnum()


def near_miss(name: str, names: Sequence[str]) -> str:
    """`` (did you mean …?)`` if one of ``names`` looks like ``name``, else nothing."""
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
        raise ConfigError(f"{path}: not a dataset description ({error})".replace("\n", " ")) from error
    if spec.name != path.stem:
        raise ConfigError(f"{path}: name: {spec.name!r} must be the file's own name, {path.stem!r}")
    return spec
