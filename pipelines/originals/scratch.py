"""A folder for work that is thrown away."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipelines.text import safe_name
from tfkey.errors import TfkeyError
from tfkey.files import PARTIAL_SUFFIX


@contextlib.contextmanager
def scratch_folder(folder: Path, name: str) -> Iterator[Path]:
    """Create an empty hidden folder in ``folder``, and remove it afterwards.

    What a killed call left behind under this name is removed first. Only one call at a time may use a name.

    Raises:
        TfkeyError: the folder cannot be created.
    """
    path = folder / f".{safe_name(name)}{PARTIAL_SUFFIX}"
    shutil.rmtree(path, ignore_errors=True)
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise TfkeyError(
            f"{path}: cannot be created ({error.strerror}); choose a folder with free space and write "
            "permission"
        ) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
