"""Files for TensorBoard: event records, written one by one without TensorFlow."""

from __future__ import annotations

import io
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkey.config import flat_settings
from tfkey.errors import TfkeyError
from tfkey.files import atomic_path
from tfkey.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class EventLog:
    """One folder that TensorBoard shows as one run.

    The file is opened for each write. A run that ends in an error leaves nothing open, and all records are in
    the file when a call returns.

    Args:
        folder: the folder of the log; other files in it are earlier parts of the same run.
        first_step: the first step that will be written; records of earlier parts from this step on belong to
            epochs lost to a kill and are removed.

    Raises:
        TfkeyError: the folder cannot be created or written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TfkeyError(
                f"{folder}: cannot be created ({error.strerror}); remove what is in the way"
            ) from error
        for path in sorted(folder.glob("events.out.tfevents.*")):
            _forget(path, first_step)
        # Readers take the files of a folder in the order of their names.
        self._path = folder / f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.tfkey"
        self._first_step = first_step

    def write(self, step: int, values: Iterable[Any]) -> None:
        """Append ``Summary.Value`` messages.

        Raises:
            TfkeyError: the disk is full, or permission is missing.
        """
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        now = time.time()
        events = [Event(wall_time=now, step=step, summary=Summary(value=[value])) for value in values]
        if not self._path.exists():
            # A TensorBoard that is running may have read records that were removed since.
            start = SessionLog(status=SessionLog.START)
            events = [
                Event(wall_time=now, file_version="brain.Event:2"),
                Event(wall_time=now, step=self._first_step, session_log=start),
                *events,
            ]
        try:
            with self._path.open("ab") as stream:
                writer = RecordWriter(stream)
                for event in events:
                    writer.write(event.SerializeToString())
        except OSError as error:
            raise TfkeyError(
                f"{self._path}: cannot be written ({error.strerror}); "
                "choose a writable folder with free space"
            ) from error


def _forget(path: Path, first_step: int) -> None:
    """Remove all events of ``first_step`` and later from a file."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    records = list(RawEventFileLoader(str(path)).Load())
    # The record of a session's start carries the first step of that session.
    kept = [
        record
        for record in records
        if (event := Event.FromString(record)).step < first_step or event.HasField("session_log")
    ]
    if len(kept) < len(records):
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            for record in kept:
                RecordWriter(stream).write(record)


def scalar(tag: str, number: float, description: str = "") -> Any:
    """A number as a ``Summary.Value``."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    return scalar_pb(tag, number, description).value[0]


def image(tag: str, figure: Figure, description: str = "") -> Any:
    """A figure as a ``Summary.Value``: a PNG with its width and height."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image.metadata import create_summary_metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    from tfkey.scoring.charts import png

    encoded = png(figure)
    # The header of a PNG states its width and height at bytes 16 and 20.
    width, height = (str(size).encode() for size in struct.unpack(">II", encoded[16:24]))
    tensor = make_tensor_proto(np.array([width, height, encoded], object))
    return Summary.Value(tag=tag, tensor=tensor, metadata=create_summary_metadata(None, description))


def sound(tag: str, waveform: np.ndarray, sample_rate: int, label: str) -> Any:
    """A waveform, float ``[samples]`` in [-1, 1], as a ``Summary.Value``: a 16-bit WAV with a label."""
    import soundfile
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.audio.metadata import create_summary_metadata
    from tensorboard.plugins.audio.plugin_data_pb2 import AudioPluginData
    from tensorboard.util.tensor_util import make_tensor_proto

    stream = io.BytesIO()
    soundfile.write(stream, np.clip(waveform, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    tensor = make_tensor_proto(np.array([[stream.getvalue(), label.encode()]], object))
    metadata = create_summary_metadata(None, label, AudioPluginData.Encoding.Value("WAV"))
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def hyper_parameters(run: Run) -> Any:
    """The settings that shape a run, as the ``Summary.Value`` of the HParams plugin."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    sections = ("seed", "mode", "datasets", "features", "intervals", "model", "loss", "augment", "train")
    settings = {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in flat_settings(run.config).items()
        if name.partition(".")[0] in sections and value is not None
    }
    # Trials of two searches have the same names, so the folders above tell them apart.
    return hparams_pb(settings, trial_id="/".join(run.path.absolute().parts[-3:])).value[0]


def experiment(settings: Sequence[str]) -> Any:
    """The columns of the HParams page above several runs, as a ``Summary.Value``.

    Args:
        settings: the dotted names of the settings that differ between the runs.
    """
    from tensorboard.plugins.hparams.summary_v2 import HParam, Metric, hparams_config_pb

    names = {"best_mirex": "best MIREX", "mirex": "MIREX", "accuracy": "accuracy", "loss": "loss"}
    metrics = [Metric(f"epoch/{tag}", group="validation", display_name=name) for tag, name in names.items()]
    return hparams_config_pb([HParam(name) for name in settings], metrics).value[0]
