"""``prepare --mode images``: spectrogram PNGs from an archive or a folder, checked and listed."""

from __future__ import annotations

import json
import logging
import shutil
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.catalogue.label_files import track_id
from pipelines.catalogue.labels import select_tracks
from pipelines.catalogue.specs import DatasetSpec, ListLabels
from pipelines.originals.unpacking import content_root, unpack_once
from pipelines.prepare.job import PrepareJob
from pipelines.prepared.manifest import Row, check_parameters, preparation_parameters
from pipelines.splits import policy_splits
from pipelines.text import printable
from pipelines.tracks import LeftOut, Track, scan_key_folders
from pipelines.work import Result, Unit, file_state, fingerprint
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.files import atomic_path, sha256
from tfkey.keys import Key

Files = dict[tuple[Path, str], list[Path]]
"""The pictures of each track, by its folder and stem."""

_PREFIX = "akc-split-"  # file names of the archives that other systems of this kind have published


@dataclass(frozen=True)
class Listing:
    """What the list of labels of a dataset says of the tracks that pictures are named after.

    Attributes:
        groups: number of a track -> the first track of the list with the same recording.
        subset: the name of the subset that is asked for; None to take whatever there is.
        chosen: the numbers of its tracks.
    """

    groups: Mapping[str, str]
    subset: str | None = None
    chosen: Collection[str] = ()

    @classmethod
    def of(cls, spec: DatasetSpec, config: Config) -> Listing | None:
        """The listing of a catalogue dataset whose labels are a list; None for others."""
        if not isinstance(spec.labels, ListLabels):
            return None
        labels = {name: select_tracks(spec, name)[0] for name in spec.subsets}
        groups = {label.id: label.group for found in labels.values() for label in found}
        subset = config.subsets.get(spec.name)
        return cls(groups, subset, {label.id for label in labels[subset]} if subset else ())

    def apply(self, tracks: Sequence[Track]) -> tuple[list[Track], list[LeftOut]]:
        """The tracks of the subset, grouped by recording; and the others."""
        taken, left_out = [], []
        for track in tracks:
            number = track_id(track.group)
            if self.subset is not None and number not in self.chosen:
                left_out.append(LeftOut(track.source, f"not in the subset {self.subset}", by_choice=True))
            else:
                taken.append(replace(track, group=self.groups.get(number, track.group)))
        return taken, left_out


def prepare_images(job: PrepareJob) -> tuple[Result, int]:
    """Copy PNGs of the right size to ``<split>/<key>/<track>-<NNN>.png`` in the job's folder, as 8-bit grey.

    They come from the job's source, or else from the archive of the catalogue: an archive, or a folder, in
    the layout ``[<dataset>/][<split>/]<key>/<file>.png``.

    Returns:
        The rows and what was left out, and how many tracks were worked on now.
    """
    config, folder = job.config, job.folder
    source = _pictures(job)
    root = content_root(source)
    _check_description(root, config)
    files: Files = defaultdict(list)

    def find(key_folder: Path) -> list[Path]:
        found = sorted(path for path in key_folder.iterdir() if _is_png_name(path.name))
        for path in found:
            files[path.parent, track_stem(path)].append(path)
        return found

    tracks, left_out = scan_key_folders(root, find, track_stem)
    parameters = preparation_parameters(config, "images")
    tracks = _mend_leaks(tracks, files)
    pictures = {track.source: files[track.path.parent, track.group] for track in tracks}
    listing = Listing.of(job.spec, config)
    if listing is not None:
        tracks, not_chosen = listing.apply(tracks)
        left_out += not_chosen
    units = []
    for track in policy_splits(tracks, job.spec.split, config.split):
        members = pictures[track.source]
        states = [file_state(path) for path in members]
        mark = fingerprint(parameters, track.key.long, track.split, states)
        units.append(Unit(track.name, mark, (track, members)))
    work = partial(_copy_track, config, root, folder)
    result, fresh = job.run(units, work)
    return Result(result.rows, [*left_out, *result.left_out]), fresh


def _pictures(job: PrepareJob) -> Path:
    """The folder with the pictures, unpacked and fetched where need be."""
    acquirer, source = job.acquirer, job.source
    if source is None or acquirer.has_source(job.spec.images):
        return acquirer.images()
    # A picture archive that goes by another name is taken as it is.
    if source.is_file():
        return unpack_once(source, job.folders.unpacked)
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder; give an archive or a folder of PNGs")
    return source


def _is_png_name(name: str) -> bool:
    return name.lower().endswith(".png") and not name.startswith(".")


def track_stem(path: Path) -> str:
    """The track that a picture belongs to: its name up to the last ``-``, without a known prefix."""
    stem = path.stem.removeprefix(_PREFIX)
    return stem.rpartition("-")[0] or stem


def _part_numbers(members: Sequence[Path]) -> list[int]:
    """The numbers at the end of the names if every picture has one of its own, else 0, 1, 2 ..."""
    endings = [path.stem.rpartition("-")[2] for path in members]
    numbers = [int(ending) for ending in endings if ending.isdecimal() and len(ending) < 10]
    return numbers if len(set(numbers)) == len(members) else list(range(len(members)))


def _mend_leaks(tracks: Sequence[Track], files: Files) -> list[Track]:
    """Make one track of those whose pictures were dealt out to several splits, and leave its split open.

    Published archives that were split by interval have one recording on two sides: pictures of one name and
    key in several splits, no two with the same number.
    """
    by_name: dict[tuple[Key, str], list[Track]] = defaultdict(list)
    for track in tracks:
        by_name[track.key, track.group].append(track)
    mended: list[Track] = []
    leaks = 0
    for same in by_name.values():
        members = [path for track in same for path in files[track.path.parent, track.group]]
        numbers = {path.stem.rpartition("-")[2] for path in members}
        if len({track.split for track in same}) == 1 or len(numbers) < len(members):
            mended += same
            continue
        leaks += 1
        files[same[0].path.parent, same[0].group] = members
        mended.append(replace(same[0], split=None))
    if leaks:
        logging.getLogger(__name__).warning(
            "%d tracks had pictures in more than one split; each was put into one, as a whole", leaks
        )
    return sorted(mended, key=lambda track: track.source)


def _check_description(root: Path, config: Config) -> None:
    """Hold the parameters that an archive states, if it does, against those asked for."""
    description = root / "dataset.json"
    if description.is_file():
        try:
            found = json.loads(description.read_text(encoding="utf-8"))["parameters"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{description}: damaged; fetch the archive again") from error
        check_parameters(root, found, preparation_parameters(config, "images"))


def _copy_track(config: Config, root: Path, folder: Path, payload: tuple[Track, Sequence[Path]]) -> Result:
    track, members = payload
    result = Result()
    for number, path in zip(_part_numbers(members), members, strict=True):
        source = printable(path.relative_to(root).as_posix())
        target = f"{track.split}/{track.key.folder}/{track.name}-{number:03d}.png"
        try:
            is_grey = _check_picture(config, path)
            with atomic_path(folder / target) as temporary:
                if is_grey:
                    shutil.copyfile(path, temporary)
                else:
                    with Image.open(path) as image:
                        image.getchannel(0).save(temporary, format="PNG")
                digest = sha256(temporary)
        except DataError as error:
            result.left_out.append(LeftOut(source, str(error)))
            continue
        result.rows.append(
            Row(
                track.name,
                number,
                target,
                track.key.long,
                str(track.split),
                config.intervals.seconds,
                source,
                digest,
            )
        )
    return result


def _check_picture(config: Config, path: Path) -> bool:
    """Whether a picture is 8-bit grey as it stands (else: grey stored as RGB).

    Raises:
        DataError: unreadable, of another size than the parameters give, or coloured.
    """
    features = config.features
    wanted = (features.frames(config.intervals.samples(features.sample_rate)), features.stored_bins)
    try:
        with Image.open(path) as image:
            if image.format != "PNG":
                raise DataError(f"a {image.format}, not a PNG; convert it")
            # Before any pixel is decoded: a small file can hold a picture that fills the memory.
            if image.size != wanted:
                raise DataError(
                    f"{image.width} wide, {image.height} high; the settings need {wanted[0]} (frames) by "
                    f"{wanted[1]} (n_bins)"
                )
            image.load()
            mode, channels = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"not a readable PNG ({type(error).__name__}); fetch it again") from error
    if mode == "L":
        return True
    if mode not in {"RGB", "RGBA"} or np.ptp(channels[..., :3], axis=2).any():
        raise DataError(f"a picture in mode {mode}, not 8-bit grey; convert it")
    return False
