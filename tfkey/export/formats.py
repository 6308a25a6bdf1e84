"""The formats of an export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfkey.errors import MissingExtraError, TfkeyError, UsageError
from tfkey.export import FORMATS
from tfkey.export.target import check_target, real_target
from tfkey.export.whole_track import calibrated_in_graph, whole_track_function
from tfkey.files import atomic_path
from tfkey.inference.bundle import CARD, METADATA, NETWORK_FILES, metadata_text
from tfkey.inference.from_run import export_metadata, with_probabilities
from tfkey.inference.networks import quiet
from tfkey.models import takes_waveforms
from tfkey.runs import Run

_ONNX_OPSET = 17


def export_run(
    run: Run,
    kind: str,
    folder: Path,
    *,
    description: str | None = None,
    licences: Mapping[str, str] | None = None,
    data: Mapping[str, Any] | None = None,
    quantize: bool = False,
    level_db: float | None = None,
    card: str | None = None,
) -> Path:
    """Write a run's best network.

    ``saved_model`` goes to ``<folder>/<version>/``, as TensorFlow Serving expects, with versions numbered
    upwards from 1. The signature ``serving_default``, also available as ``waveform``, takes ``waveform``,
    float32 ``[batch, samples]``: whole tracks, mono at the sample rate in the metadata, any batch and any
    length. The signature ``spectrogram`` takes ``spectrogram``, float32 ``[batch, frames, bins, 1]``, as one
    interval. Both return calibrated ``probabilities``, float32 ``[batch, 24]``. The SavedModel contains only
    TensorFlow's own ops.

    ``keras``, ``litert`` and ``onnx`` go to ``<folder>/network.*`` and take one interval: ``spectrogram`` (or
    ``waveform``, if the network takes waveforms), any batch and length. They return ``probabilities`` without
    calibration. The answer for a track is the mean over its intervals, calibrated with the temperature in the
    metadata.

    Args:
        run: the run.
        kind: one of :data:`tfkey.export.FORMATS`.
        folder: the folder to create, or whose older export to replace. Versions of a SavedModel stay, as does
            a model card (``card.md``) beside another network. A link is followed.
        description: see :func:`tfkey.inference.from_run.export_metadata`.
        licences: see there.
        data: see there.
        quantize: store the weights of ``litert`` in 8 bits, and compute with 8 bits (activations are scaled
            for each call): a quarter of the size, two to three times as fast, probabilities that differ by
            less than a hundredth in a trained network.
        level_db: the level to which recordings are brought before they are analysed, in dB re full scale; see
            :class:`tfkey.inference.bundle.Metadata`. A SavedModel takes waveforms as they are: its caller
            must do that.
        card: a model card in Markdown, which replaces the one that is there.

    Returns:
        The folder of this export: ``folder``, or that of the version.

    Raises:
        UsageError: the format is unknown, or the folder contains anything but older exports of this format
            (see :func:`tfkey.export.target.check_target`); raised before anything is built.
        MissingExtraError: the converter to ONNX is not installed.
        TfkeyError: LiteRT cannot run the network (a recurrent one).
        TfkeyError: the run has no intact network (see :meth:`tfkey.runs.Run.load_network`), or the folder
            cannot be written.
    """
    if kind not in FORMATS:
        raise UsageError(f"format {kind!r} is unknown; choose one of {', '.join(FORMATS)}")
    if quantize and kind != "litert":
        raise UsageError(f"format {kind} is not quantised; choose litert, or leave it as it is")
    check_target(folder, kind)
    network = run.load_network()
    metadata = export_metadata(
        run, description=description, licences=licences, data=data, network=network, level_db=level_db
    )
    target = folder / str(next_version(folder)) if kind == "saved_model" else folder
    with atomic_path(real_target(target)) as partial:
        partial.mkdir()
        if kind == "saved_model":
            _write_saved_model(run, network, metadata["temperature"], partial)
        else:
            model = with_probabilities(network)
            place = partial / NETWORK_FILES[kind]
            if kind == "keras":
                model.save(place)
            elif kind == "litert":
                place.write_bytes(_litert(run, model, quantize))
            else:
                place.write_bytes(_onnx(run, model, metadata))
            if card is not None:
                (partial / CARD).write_text(card, encoding="utf-8", newline="\n")
            elif (target / CARD).is_file():
                shutil.copyfile(target / CARD, partial / CARD)
        (partial / METADATA).write_text(metadata_text(metadata), encoding="utf-8", newline="\n")
        # Building took a while; somebody may have put a file there in the meantime.
        check_target(folder, kind)
    return target


def next_version(folder: Path) -> int:
    """Return the number of the next version of a SavedModel: one above the highest existing one."""
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
    return max(numbers, default=0) + 1


def _write_saved_model(run: Run, network: keras.Model, temperature: float, folder: Path) -> None:
    judge = whole_track_function(run.config, network, temperature)

    def whole_tracks(waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": judge(waveform)}

    def intervals(spectrogram: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = network(spectrogram, training=False)
        return {"probabilities": calibrated_in_graph(tf.nn.softmax(logits), temperature)}

    waveform = judge.input_signature
    serve = tf.function(whole_tracks, input_signature=waveform)
    signatures = {"serving_default": serve, "waveform": serve}
    if not takes_waveforms(run.config.model.name):
        signatures["spectrogram"] = tf.function(intervals, input_signature=[_input_spec(run, network)])
    module = tf.Module()
    module.network = network
    module.signatures_of_tfkey = list(signatures.values())
    concrete = {name: function.get_concrete_function() for name, function in signatures.items()}
    try:
        tf.saved_model.save(module, str(folder), signatures=concrete)
    except tf.errors.OpError as error:
        # "<place>; <reason> [Op:<name>]"
        raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from error


def _input_spec(run: Run, network: keras.Model) -> tf.TensorSpec:
    if takes_waveforms(run.config.model.name):
        return tf.TensorSpec([None, None], tf.float32, name="waveform")
    return tf.TensorSpec([None, None, *network.input_shape[2:]], tf.float32, name="spectrogram")


def _function(run: Run, model: keras.Model) -> Any:
    spec = _input_spec(run, model)

    def judge(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(inputs, training=False)}

    return tf.function(judge, input_signature=[spec])


def _litert(run: Run, model: keras.Model, quantize: bool) -> bytes:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    # The converter of TensorFlow 2.16 does not find the variables of Keras 3.
    frozen = convert_variables_to_constants_v2(_function(run, model).get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        with quiet():
            return converter.convert()
    except Exception as error:  # ConverterError is not a public class
        raise TfkeyError(
            f"model {run.config.model.name}: LiteRT cannot run it on inputs of any length; export it as onnx",
            remedy="format",
            details={"format": "onnx"},
        ) from error


def _onnx(run: Run, model: keras.Model, metadata: Mapping[str, Any]) -> bytes:
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise MissingExtraError("format onnx", "tf2onnx", "tfkey[train]") from error

    function = _function(run, model)
    with quiet():
        proto, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=_ONNX_OPSET
        )
    onnx.helper.set_model_props(
        proto, {name: json.dumps(value, ensure_ascii=False) for name, value in metadata.items()}
    )
    return proto.SerializeToString()
