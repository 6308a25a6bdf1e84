"""Finding the file of prepared data that cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from pipelines.prepared.manifest import PreparedDataset, Row, to_prepare
from pipelines.prepared.split_intervals import SplitIntervals
from tfkey.errors import DataError
from tfkey.files import sha256


def find_damaged(dataset: PreparedDataset, rows: Sequence[Row]) -> Path | None:
    """Return the first file of ``rows`` that is not as it was written; None if all are.

    Reads all files.

    Raises:
        DataError: the file is as it was written, but its copy on this machine was not, and is removed now.
    """
    digests = {row.path: row.digest for row in rows}
    for name, digest in digests.items():
        if _is_damaged(dataset, name, digest):
            address = dataset.address(name)
            if dataset.copies:
                dataset.copies.discard(address)
                if not _is_damaged(dataset, name, digest):
                    raise DataError(
                        f"{address}: its copy in {dataset.copies.folder} was damaged and has been replaced; "
                        "start again"
                    )
                dataset.copies.discard(address)
            return dataset.folder / name
    return None


def _is_damaged(dataset: PreparedDataset, name: str, digest: str) -> bool:
    if not dataset.copies and not (dataset.folder / name).is_file():
        return True
    path = dataset.local(name)
    if dataset.mode != "spectrograms":
        return sha256(path) != digest
    try:
        for _ in tf.data.TFRecordDataset(str(path)):
            pass
    except tf.errors.OpError:
        return True
    return False


@contextlib.contextmanager
def naming_damage(*used: SplitIntervals) -> Iterator[None]:
    """Turn TensorFlow's error about a file that cannot be read or fetched into one line that names it."""
    try:
        yield
    except tf.errors.OpError as error:
        for intervals in used:
            for dataset, rows in intervals.parts:
                if dataset.copies and (failure := dataset.copies.take_failure()):
                    raise failure from error
                if damaged := find_damaged(dataset, rows):
                    raise DataError(
                        f"{damaged}: is damaged; delete it and prepare {dataset.name} again",
                        remedy="prepare",
                        details=to_prepare(intervals.config, dataset.mode, dataset.name),
                    ) from error
        raise
