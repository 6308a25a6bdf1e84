"""TensorFlow Serving's REST protocol (https://www.tensorflow.org/tfx/serving/api_rest): JSON in, JSON out.

Requests name a signature and hold its input in row format (``instances``) or in column format (``inputs``).
Two things differ from TensorFlow Serving: the rows of a request may differ in length, and numbers must be
finite.

Nothing here knows HTTP. The texts of errors that clients match on are TensorFlow Serving's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from tfkey.serving.errors import RequestError
from tfkey.serving.signatures import DEFAULT_SIGNATURE, WAVEFORM, Served
from tfkey.serving.tensors import float_array, parse_json

MODEL = "tfkey"
"""The name of the model in paths."""

OUTPUT = "probabilities"
CLASSES = 24
LARGEST = 1e6
"""The greatest magnitude of a number; full scale is 1, and far greater ones overflow inside networks."""

_METHOD = "tensorflow/serving/predict"
_SHOWN = 40


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        seconds: audio, of all rows together.
        rows: the number of rows.
    """

    seconds: float
    rows: int


@dataclass(frozen=True)
class Prediction:
    """A request that has been read.

    Attributes:
        input: the name of the input: ``waveform`` or ``spectrogram``.
        rows: float32, each ``[samples]`` or ``[frames, bins, 1]``, at least one.
        is_column: whether the request is in column format; the answer is in the same.
    """

    input: str
    rows: list[np.ndarray]
    is_column: bool


def read_request(body: bytes, served: Served, limits: Limits) -> Prediction:
    """Read the body of ``:predict``.

    Raises:
        RequestError: it is not a request that the network can answer.
    """
    try:
        values = parse_json(body)
        return _prediction(values, served, limits)
    except MemoryError as error:
        raise RequestError("the request needs too much memory; send fewer or shorter inputs", 413) from error


def _prediction(values: Any, served: Served, limits: Limits) -> Prediction:
    if not isinstance(values, dict):
        raise RequestError(f"the body is {_kind(values)}; send a JSON object")
    name = served.signatures.get(_signature(values, served), WAVEFORM)
    present = [key for key in ("instances", "inputs") if key in values]
    if not present:
        raise RequestError("Missing 'inputs' or 'instances' key")
    if len(present) > 1:
        raise RequestError("the body has both 'inputs' and 'instances'; send only one of them")
    found = values[present[0]]
    rows = _instances(found, name) if present[0] == "instances" else _column(found, name)
    if len(rows) > limits.rows:
        raise RequestError(f"the request has {len(rows)} rows; send at most {limits.rows}")
    arrays = [_row(row, number, name, served) for number, row in enumerate(rows)]
    _check_duration(arrays, name, served, limits)
    return Prediction(name, arrays, present[0] == "inputs")


def _signature(values: dict[str, Any], served: Served) -> str:
    name = values.get("signature_name", "")
    if not isinstance(name, str):
        raise RequestError(f"signature_name is {_kind(name)}; send a string")
    if name and name not in served.signatures:
        shown = ascii(name)[1:-1][:_SHOWN]
        raise RequestError(
            f'Serving signature name: "{shown}" not found in signature def; '
            f"available: {', '.join(served.signatures)}"
        )
    return name or DEFAULT_SIGNATURE


def _instances(found: Any, name: str) -> Sequence[Any]:
    """The rows in row format: each is the input, or an object with the input by name."""
    rows = _rows(found, "instances", name)
    objects = [isinstance(row, dict) for row in rows]
    if not any(objects):
        return rows
    if not all(objects):
        raise RequestError("instances mixes objects with lists; send rows of one kind")
    for number, row in enumerate(rows):
        if set(row) != {name}:
            raise RequestError(f"row {number} of instances must have exactly the key '{name}'{_hint(row)}")
    return [row[name] for row in rows]


def _column(found: Any, name: str) -> Sequence[Any]:
    """The rows in column format: the whole input, or an object with it by name."""
    if not isinstance(found, dict):
        return _rows(found, "inputs", name)
    if set(found) != {name}:
        raise RequestError(f"inputs must have exactly the key '{name}'{_hint(found)}")
    return _rows(found[name], name, name)


def _rows(found: Any, where: str, name: str) -> Sequence[Any]:
    if isinstance(found, np.ndarray):
        raise RequestError(f"{where} is a list of numbers; send a list of rows, each a {name}")
    if not isinstance(found, list):
        raise RequestError(f"{where} is {_kind(found)}; send a list of rows, each a {name}")
    if not found:
        raise RequestError(f"{where} is empty; send at least one row")
    return found


def _hint(found: dict[str, Any]) -> str:
    if set(found) == {"b64"}:
        return "; base64 is for strings, and this input is numbers"
    return ""


def _row(value: Any, number: int, name: str, served: Served) -> np.ndarray:
    """One row as float32 of the shape of the input."""
    where, shape = f"row {number} of {name}", served.shape(name)
    values, size = value, 0
    for depth, length in enumerate(shape):
        # At each depth, `values` holds all elements one level above, in one list.
        parts = [values] if depth == 0 else values
        if depth == len(shape) - 1 and len(parts) == 1 and isinstance(parts[0], np.ndarray):
            values = parts[0]
        else:
            if not all(isinstance(part, list) for part in parts):
                wrong = next(part for part in parts if not isinstance(part, list))
                raise RequestError(f"{where} has {_kind(wrong)} where a list is expected; {_wanted(shape)}")
            values = list(chain.from_iterable(parts))
        if depth == 0:
            size = len(values)
            if size < served.least(name):
                what = ("sample" if name == WAVEFORM else "frame") + "s" * (size != 1)
                raise RequestError(f"{where} has {size} {what}; send at least {served.least(name)}")
        elif any(len(part) != length for part in parts):
            raise RequestError(f"{where} is ragged or of another size; {_wanted(shape)}")
    if isinstance(values, list):
        if not {type(item) for item in values} <= {int, float}:
            wrong = next(item for item in values if type(item) not in (int, float))
            raise RequestError(f"{where} has {_kind(wrong)} where a number is expected; {_wanted(shape)}")
        values = float_array(values)
    # NaN compares as false.
    if not (np.abs(values) <= LARGEST).all():
        raise RequestError(
            f"{where} has NaN, infinite or too large numbers; send finite ones of at most {LARGEST:g}"
        )
    return values.astype(np.float32).reshape(size, *shape[1:])


def _wanted(shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return "send numbers as [samples]"
    return f"send numbers as [frames, {', '.join(map(str, shape[1:]))}]"


def _check_duration(rows: list[np.ndarray], name: str, served: Served, limits: Limits) -> None:
    features = served.metadata.features
    step = 1 if name == WAVEFORM else features.hop_length
    seconds = sum(len(row) for row in rows) * step / features.sample_rate
    if seconds > limits.seconds:
        raise RequestError(
            f"the rows are {seconds:.0f} s long altogether; send at most {limits.seconds:.0f} s", 413
        )


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, np.ndarray):
        return "a list of numbers"
    names = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return names.get(type(value), "something else")


def answer(probabilities: np.ndarray, is_column: bool) -> bytes:
    """Return the body of an answer, with the fewest digits that give the same float32 values.

    Args:
        probabilities: float32 ``[rows, 24]``.
        is_column: whether the request is in column format.
    """
    # str() of a NumPy scalar is the shortest text that gives it back.
    rows = [[float(str(value)) for value in row] for row in probabilities.astype(np.float32)]
    return json.dumps({"outputs" if is_column else "predictions": rows}).encode()


def model_status(served: Served) -> dict[str, Any]:
    """Return the answer to ``GET /v1/models/tfkey``."""
    status = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [{"version": str(served.version), "state": "AVAILABLE", "status": status}]
    }


def model_metadata(served: Served) -> dict[str, Any]:
    """Return the answer to ``GET /v1/models/tfkey/metadata``: the signatures."""
    definitions = {
        signature: {
            "inputs": {name: _tensor(f"{signature}_{name}:0", (-1, *served.shape(name)))},
            "outputs": {OUTPUT: _tensor("StatefulPartitionedCall:0", (-1, CLASSES))},
            "method_name": _METHOD,
        }
        for signature, name in served.signatures.items()
    }
    return {
        "model_spec": {"name": MODEL, "signature_name": "", "version": str(served.version)},
        "metadata": {"signature_def": {"signature_def": definitions}},
    }


def _tensor(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "name": name,
    }
