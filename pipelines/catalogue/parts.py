"""The parts of a dataset's description: where its audio, labels and pictures are, its subsets, its split."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlparse

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


def _check_url(url: str) -> str:
    if urlparse(url).scheme not in {"http", "https", "ftp", "file"}:
        raise ValueError(f"{url!r} is not an http, https, ftp or file address")
    return url


def _check_checksum(checksum: str) -> str:
    if not re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum):
        raise ValueError(f"{checksum!r} is not md5: or sha256: followed by lower-case hexadecimal digits")
    return checksum


def _beside_the_description(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return folder / path if folder else path


BundledPath = Annotated[Path, AfterValidator(_beside_the_description)]
"""A file beside the description."""

Mirrors = Annotated[tuple[Annotated[str, AfterValidator(_check_url)], ...], Field(min_length=1)]
Checksum = Annotated[str, AfterValidator(_check_checksum)]


class Part(BaseModel):
    """A part of a description; frozen, and without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Archive(Part):
    """A file to fetch: ordered mirrors, ``md5:`` or ``sha256:`` if known, approximate size in bytes."""

    urls: Mirrors
    checksum: Checksum | None = None
    size: int | None = Field(None, gt=0)


class ImageArchive(Archive):
    """An archive of PNGs ``<dataset>/[<split>/]<key>/<file>.png``; ``splits`` are the splits in it."""

    splits: tuple[Literal["train", "validation", "test"], ...] = ()


class FileAudio(Part):
    """Audio as one file per track: mirrors are templates with ``{id}``; MD5s are in the list of labels."""

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
        """Return the mirrors of one track's file, in order."""
        return tuple(url.replace("{id}", track) for url in self.urls)


class ArchiveAudio(Part):
    """Audio in archives; each is complete in itself, and each subset names the one it uses."""

    kind: Literal["archives"]
    archives: dict[str, Archive] = Field(min_length=1)


class Package(Part):
    """A Debian package: the SHA-256 of its file in the version of the list, and its size in bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)


class RecordingAudio(Part):
    """Audio inside Debian packages and public git repositories; the list of votes names the recordings.

    Attributes:
        repositories: the address of a repository: a template with ``{repository}``.
        packages: the Debian packages by name.
        size: the approximate number of bytes to fetch.
    """

    kind: Literal["recordings"]
    repositories: Annotated[str, AfterValidator(_check_url)]
    packages: dict[str, Package] = Field(default_factory=dict)
    size: int | None = Field(None, gt=0)

    @field_validator("repositories")
    @classmethod
    def _names_the_repository(cls, url: str) -> str:
        if "{repository}" not in url:
            raise ValueError(f"{url!r} has no {{repository}} for the name of the repository")
        return url

    def repository_url(self, repository: str) -> str:
        """Return the address of a repository."""
        return self.repositories.replace("{repository}", repository)


class SyntheticAudio(Part):
    """Music that is composed and rendered on this machine (:mod:`pipelines.synthetic.corpus`).

    Attributes:
        seed: the seed of the corpus.
        clips: the number of clips of each kind, by subset.
        packages: the Debian packages with the tools of accompaniments and tunes.
    """

    kind: Literal["synthetic"]
    seed: int = Field(0, ge=0)
    clips: dict[str, dict[str, Annotated[int, Field(ge=0)]]] = Field(min_length=1)
    packages: dict[str, Package] = Field(default_factory=dict)


class ListLabels(Part):
    """Labels from a list bundled with tfkey: a CSV file with the columns track, key and md5."""

    kind: Literal["list"]
    path: BundledPath


class FolderLabels(Part):
    """Labels from the names of the folders that contain the audio."""

    kind: Literal["folders"]


class ArchiveLabels(Part):
    """Labels from an archive with one text file per track."""

    kind: Literal["archive"]
    archive: Archive


class VoteLabels(Part):
    """Soft labels from a list bundled with tfkey: what networks say of each segment of each recording.

    Attributes:
        path: the list (:mod:`pipelines.catalogue.votes`), with a column of 24 probabilities per voter.
        weights: the weight of each voter in the mean.
    """

    kind: Literal["votes"]
    path: BundledPath
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)


class Subset(Part):
    """A selection of a dataset's tracks; no subset contains tracks without exactly one major or minor key.

    Attributes:
        meaning: a description.
        min_confidence: tracks below this are left out (0, 1 or 2; 0 keeps even tracks without a confidence).
        comments: whether to include tracks that their annotator commented on.
        archive: the archive to fetch, if there are several.
        tracks: the number of tracks, if known in advance.
    """

    meaning: str
    min_confidence: int = Field(0, ge=0, le=2)
    comments: bool = True
    archive: str | None = None
    tracks: int | None = Field(None, gt=0)


class SplitPolicy(Part):
    """Shares of the tracks of a dataset.

    Attributes:
        test: share of the tracks to test on: 1 for a dataset that must not be used for training, 0 for one
            that is not used for testing; None for the configured share (``split.test``).
        validation: share for choosing the best network; None for the configured share
            (``split.validation``) if the dataset is used for training.
        validation_groups: for a dataset of recordings: the packages and repositories to validate on; all
            others are trained on.
    """

    test: float | None = Field(None, ge=0, le=1)
    validation: float | None = Field(None, ge=0, lt=1)
    validation_groups: tuple[str, ...] = ()
