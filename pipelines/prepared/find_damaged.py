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
    """Return the first file of ``rows`` that is not as it was written; None if all are. Reads all files."""
    for row in rows:
        path = dataset.folder / row.path
        if dataset.mode != "spectrograms" and (not path.is_file() or sha256(path) != row.digest):
            return path
    for name in dict.fromkeys(row.path for row in rows) if dataset.mode == "spectrograms" else ():
        try:
            for _ in tf.data.TFRecordDataset(str(dataset.folder / name)):
                pass
        except tf.errors.OpError:
            return dataset.folder / name
    return None


@contextlib.contextmanager
def naming_damage(*used: SplitIntervals) -> Iterator[None]:
    """Turn TensorFlow's error about an unreadable file into one line that names the file."""
    try:
        yield
    except tf.errors.OpError as error:
        for intervals in used:
            for dataset, rows in intervals.parts:
                if damaged := find_damaged(dataset, rows):
                    raise DataError(
                        f"{damaged}: is damaged; delete it and prepare {dataset.name} again",
                        remedy="prepare",
                        details=to_prepare(intervals.config, dataset.mode, dataset.name),
                    ) from error
        raise
