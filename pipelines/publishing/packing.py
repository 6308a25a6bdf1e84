"""Packing: from prepared spectrograms to an archive of PNGs that anybody can publish.

Its layout is ``<dataset>/[<split>/]<key>/<track>-<part>.png``: 8-bit grey, one row per bin, the lowest first.
``<dataset>/dataset.json`` contains the parameters. If labels are soft, ``<dataset>/votes.csv`` contains the
path of each picture, relative to that file, and the probabilities of the 24 keys.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from PIL import Image

from pipelines.originals.vote_tables import VOTES, picture_table
from pipelines.prepared.manifest import PreparedDataset
from pipelines.prepared.records import iter_pictures
from pipelines.work import Progress
from tfkey.files import atomic_path, sha256, write_text
from tfkey.spectrogram.frontend import to_pixels


def pack(
    prepared: PreparedDataset,
    archive: Path,
    progress: Progress | None = None,
    *,
    licence: str | None = None,
    citation: str | None = None,
) -> str:
    """Write the PNG archive (``.tar.xz``) of a dataset prepared in spectrograms mode.

    The same spectrograms give the same bytes: entries are sorted and have no times or owners. The file
    ``<archive>.sha256`` beside it has the format of ``sha256sum --check``.

    Args:
        prepared: the dataset.
        archive: the archive to write.
        progress: called with the number of packed spectrograms and the total.
        licence: the licence of the archive; None for that of the dataset.
        citation: how to cite the archive; None as for the dataset.

    Returns:
        The SHA-256 of the archive.
    """
    # PNG is compressed already; a higher preset of the container would only cost time.
    with atomic_path(archive) as temporary:
        with tarfile.open(temporary, "w:xz", preset=0) as tar:
            description = json.loads((prepared.folder / "dataset.json").read_text(encoding="utf-8"))
            stated = {"licence": licence, "citation": citation}
            description.update({name: text for name, text in stated.items() if text is not None})
            content = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
            _add(tar, f"{prepared.name}/dataset.json", content.encode())
            if table := picture_table(prepared.rows):
                _add(tar, f"{prepared.name}/{VOTES}", table.encode())
            for done, (row, picture) in enumerate(iter_pictures(prepared), 1):
                stream = io.BytesIO()
                Image.fromarray(to_pixels(picture)).save(stream, format="PNG")
                _add(tar, f"{prepared.name}/{row.picture}", stream.getvalue())
                if progress:
                    progress(done, len(prepared.rows))
        checksum = sha256(temporary)
    write_text(checksum_file(archive), f"{checksum}  {archive.name}\n")
    return checksum


def checksum_file(archive: Path) -> Path:
    """Return the file with an archive's checksum."""
    return archive.with_name(f"{archive.name}.sha256")


def read_checksum(archive: Path) -> str | None:
    """Return the SHA-256 that :func:`pack` wrote beside an archive; None if either file is missing."""
    stated = checksum_file(archive)
    if not (archive.is_file() and stated.is_file()):
        return None
    return stated.read_text(encoding="utf-8").partition(" ")[0]


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(content))
