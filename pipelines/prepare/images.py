"""``prepare --mode images``: checking and listing spectrogram PNGs from an archive or a folder."""

from __future__ import annotations

import json
import logging
import shutil
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.catalogue.label_files import track_id
from pipelines.catalogue.labels import select_tracks
from pipelines.catalogue.parts import ListLabels
from pipelines.catalogue.specs import DatasetSpec
from pipelines.originals.unpacking import content_root, unpack_once
from pipelines.originals.vote_tables import picture_votes
from pipelines.prepare.job import PrepareJob
from pipelines.prepared.parameters import check_parameters
from pipelines.splits import policy_splits
from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track, key_folders, no_tracks, unique_names
from pipelines.work import Result, Unit, file_state, fingerprint
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.files import atomic_path, sha256
from tfkey.keys import Key

_PREFIX = "akc-split-"  # prefix of file names in archives published by other systems of this kind


@dataclass(frozen=True)
class PictureTrack:
    """A track and its pictures.

    Attributes:
        track: its ``path`` is that of the first picture, its ``group`` the name that all of them share.
        pictures: the files of the pictures, in the order of their names.
    """

    track: Track
    pictures: tuple[Path, ...]

    @property
    def endings(self) -> list[str]:
        """The part after the last ``-`` in each picture's name; the whole name if there is no ``-``."""
        return [path.stem.rpartition("-")[2] for path in self.pictures]

    @property
    def parts(self) -> list[int]:
        """The number of each picture: its ending if no two pictures share one, else 0, 1, 2 ..."""
        numbers = [int(ending) for ending in self.endings if ending.isdecimal() and len(ending) < 10]
        count = len(self.pictures)
        return numbers if len(set(numbers)) == count else list(range(count))

    def with_track(self, **changes: Any) -> PictureTrack:
        """Return the same pictures with other attributes of the track."""
        return replace(self, track=replace(self.track, **changes))


@dataclass(frozen=True)
class ListedTracks:
    """What a dataset's list of labels says about the tracks in the names of pictures.

    Attributes:
        groups: the number of a track -> the first track of the list with the same recording.
        subset: the name of the requested subset; None to take all tracks.
        chosen: the numbers of the tracks in the subset.
    """

    groups: Mapping[str, str]
    subset: str | None = None
    chosen: Collection[str] = ()

    @classmethod
    def of(cls, spec: DatasetSpec, config: Config) -> ListedTracks:
        """Return what is known for a dataset; nothing unless its labels are a list."""
        if not isinstance(spec.labels, ListLabels):
            return cls({})
        labels = {name: select_tracks(spec, name)[0] for name in spec.subsets}
        groups = {label.id: label.group for found in labels.values() for label in found}
        subset = config.subsets.get(spec.name)
        return cls(groups, subset, {label.id for label in labels[subset]} if subset else ())

    def apply(self, found: Sequence[PictureTrack]) -> tuple[list[PictureTrack], list[LeftOut]]:
        """Return the tracks of the subset, grouped by recording, and the other tracks as left out."""
        taken, left_out = [], []
        for item in found:
            group = item.track.group
            number = track_id(group)
            if self.subset is not None and number not in self.chosen:
                reason = f"not in the subset {self.subset}"
                left_out.append(LeftOut(item.track.source, reason, by_choice=True))
            else:
                taken.append(item.with_track(group=self.groups.get(number, group)))
        return taken, left_out


def prepare_images(job: PrepareJob) -> tuple[Result, int]:
    """Copy PNGs of the right size to ``<split>/<key>/<track>-<NNN>.png`` in the job's folder, as 8-bit grey.

    They come from the job's source or else from the archive of the catalogue: an archive or a folder in the
    layout ``[<dataset>/][<split>/]<key>/<file>.png``.

    Returns:
        The rows and what was left out, and the number of tracks processed by this call.
    """
    root = content_root(_open_source(job))
    _check_description(root, job)
    found, left_out = find_pictures(root)
    found = _with_votes(found, root)
    found, not_chosen = ListedTracks.of(job.spec, job.config).apply(_reunite(found))
    splits = policy_splits([item.track for item in found], job.spec.split, job.config.split)
    parameters = job.parameters
    units = []
    for item, track in zip(found, splits, strict=True):
        states = [file_state(path) for path in item.pictures]
        mark = fingerprint(parameters, *track.state, track.split, states)
        units.append(Unit(track.name, mark, replace(item, track=track)))
    result, fresh = job.run(units, partial(_copy_pictures, job, root))
    return Result(result.rows, [*left_out, *not_chosen, *result.left_out]), fresh


def _open_source(job: PrepareJob) -> Path:
    """Return the folder with the pictures, after fetching and unpacking an archive if necessary."""
    acquirer, source = job.acquirer, job.source
    if source is None or acquirer.has_source(job.spec.images):
        return acquirer.images()
    # A picture archive under another name is used without verification.
    if source.is_file():
        return unpack_once(source, job.folders.unpacked)
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder; give an archive or a folder of PNGs")
    return source


def find_pictures(root: Path) -> tuple[list[PictureTrack], list[LeftOut]]:
    """Read the layout ``[<split>/]<key>/<track>-<part>.png``.

    Returns:
        The tracks, sorted by source and with unique names (the same name in two folders gives two tracks),
        and what was left out (see :func:`pipelines.tracks.key_folders`).

    Raises:
        DataError: ``root`` is missing or contains no pictures.
    """
    folders, left_out = key_folders(root)
    found: list[PictureTrack] = []
    for folder in folders:
        by_name: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.path.iterdir()):
            if path.name.lower().endswith(".png") and not path.name.startswith("."):
                by_name[track_stem(path)].append(path)
        for name, paths in by_name.items():
            source = printable(paths[0].relative_to(root).as_posix())
            track = Track(safe_name(name), paths[0], folder.key, folder.split, source, name)
            found.append(PictureTrack(track, tuple(paths)))
    if not found:
        raise no_tracks(root, left_out)
    found.sort(key=lambda item: item.track.source)
    named = unique_names([item.track for item in found])
    return [replace(item, track=track) for item, track in zip(found, named, strict=True)], left_out


def _with_votes(found: Sequence[PictureTrack], root: Path) -> list[PictureTrack]:
    """Give each track the soft label of its first picture, if there is one."""
    votes = picture_votes(root)
    return [
        item.with_track(vote=votes.get(item.pictures[0].relative_to(root).as_posix())) if votes else item
        for item in found
    ]


def track_stem(path: Path) -> str:
    """Return the track that a picture belongs to: its name up to the last ``-``, without a known prefix."""
    stem = path.stem.removeprefix(_PREFIX)
    return stem.rpartition("-")[0] or stem


def _reunite(found: Sequence[PictureTrack]) -> list[PictureTrack]:
    """Merge tracks whose pictures are spread over several splits into one track without a split.

    Published archives that were split by interval have a recording in two splits: pictures with the same
    name and key in several splits, and with different numbers.
    """
    by_name: dict[tuple[Key, str], list[PictureTrack]] = defaultdict(list)
    for item in found:
        by_name[item.track.key, item.track.group].append(item)
    tracks: list[PictureTrack] = []
    reunited = 0
    for same in by_name.values():
        whole = replace(same[0], pictures=tuple(path for item in same for path in item.pictures))
        is_in_one_split = len({item.track.split for item in same}) == 1
        if is_in_one_split or len(set(whole.endings)) < len(whole.pictures):
            tracks += same
        else:
            reunited += 1
            tracks.append(whole.with_track(split=None))
    if reunited:
        logging.getLogger(__name__).warning(
            "%d tracks had pictures in more than one split; each track was moved to a single split", reunited
        )
    return sorted(tracks, key=lambda item: item.track.source)


def _check_description(root: Path, job: PrepareJob) -> None:
    """Compare the parameters in an archive's description, if there is one, with those requested."""
    description = root / "dataset.json"
    if description.is_file():
        try:
            found = json.loads(description.read_text(encoding="utf-8"))["parameters"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{description}: is damaged; fetch the archive again") from error
        check_parameters(root, found, job.parameters)


def _copy_pictures(job: PrepareJob, root: Path, item: PictureTrack) -> Result:
    track = item.track
    result = Result()
    for part, path in zip(item.parts, item.pictures, strict=True):
        source = printable(path.relative_to(root).as_posix())
        target = f"{track.split}/{track.key.folder}/{track.name}-{part:03d}.png"
        try:
            digest = _copy_picture(job.config, path, job.folder / target)
        except DataError as error:
            result.left_out.append(LeftOut(source, str(error)))
        else:
            result.rows.append(job.row(track, part, target, digest, source))
    return result


def _copy_picture(config: Config, path: Path, target: Path) -> str:
    """Copy a picture as 8-bit grey; return the SHA-256 of the copy."""
    is_grey = _check_picture(config, path)
    with atomic_path(target) as temporary:
        if is_grey:
            shutil.copyfile(path, temporary)
        else:
            with Image.open(path) as image:
                image.getchannel(0).save(temporary, format="PNG")
        return sha256(temporary)


def _check_picture(config: Config, path: Path) -> bool:
    """Whether a picture is stored as 8-bit grey; False for grey stored as RGB.

    Raises:
        DataError: the picture is unreadable or coloured, or its size does not match the parameters.
    """
    features = config.features
    wanted = (features.frames(config.intervals.samples(features.sample_rate)), features.stored_bins)
    try:
        with Image.open(path) as image:
            if image.format != "PNG":
                raise DataError(f"is {image.format}, not PNG; convert it")
            # Check before decoding any pixel: a small file may contain a picture that fills the memory.
            if image.size != wanted:
                raise DataError(
                    f"is {image.width} wide and {image.height} high; the settings need "
                    f"{wanted[0]} (frames) by {wanted[1]} (n_bins)"
                )
            image.load()
            mode, channels = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"is not a readable PNG ({type(error).__name__}); fetch it again") from error
    if mode == "L":
        return True
    if mode not in {"RGB", "RGBA"} or np.ptp(channels[..., :3], axis=2).any():
        raise DataError(f"is a picture in mode {mode}, not 8-bit grey; convert it")
    return False
