"""Reading JSON with millions of numbers in bounded memory.

Python's own parser makes an object of every number, which takes 32 bytes and more. Here, long arrays of plain
numbers are taken out first and parsed in pieces; the rest, which is short then, goes through Python's parser.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import numpy as np

from tfkey.serving.errors import RequestError

# Digits, signs and white space, and the letters of NaN and Infinity.
_LONG_ARRAY = re.compile(rb"\[([0-9eE+\-.,\sNaIinfty]{32768,})\]")
_PIECE = 2**18

_MOST_ELEMENTS = 2**23
"""The most commas and brackets outside long arrays: 8 million, as in an hour of spectrogram of 192 bins."""


def parse_json(body: bytes) -> Any:
    """Parse JSON; ``NaN``, ``Infinity`` and ``-Infinity`` are numbers, as in TensorFlow Serving.

    Returns:
        Plain Python values, except that long arrays of numbers are float64 arrays ``[numbers]``.

    Raises:
        RequestError: the text is not JSON, or it has too many elements.
    """
    if not body.strip():
        raise RequestError("the body is empty; send a JSON object")
    arrays: list[np.ndarray] = []
    # The client cannot know the name, so no object of its own is taken for an array.
    name = secrets.token_hex(16)

    def take(match: re.Match[bytes]) -> bytes:
        arrays.append(_numbers(match[1]))
        return b'{"%s":%d}' % (name.encode(), len(arrays) - 1)

    try:
        rest = _LONG_ARRAY.sub(take, body)
        if rest.count(b",") + rest.count(b"[") + rest.count(b"{") > _MOST_ELEMENTS:
            raise RequestError("the body has too many elements; send fewer or shorter inputs", 413)
        return json.loads(
            rest.decode(), object_hook=lambda found: arrays[found[name]] if name in found else found
        )
    except UnicodeDecodeError as error:
        raise RequestError("the body is not UTF-8; send JSON in UTF-8") from error
    except RecursionError as error:
        raise RequestError("the JSON is nested too deeply") from error
    except ValueError as error:
        raise RequestError(f"the body is not JSON: {_reason(error)}") from error


def _numbers(text: bytes) -> np.ndarray:
    """The numbers of an array without its brackets."""
    parts = []
    start = 0
    while start <= len(text):
        end = text.find(b",", start + _PIECE)
        end = len(text) if end < 0 else end
        values = json.loads(b"[" + text[start:end] + b"]")
        # An empty piece would be lost: [1,,2] and [1,] are not JSON.
        if not values:
            raise ValueError("an array ends with a comma, or has two in a row")
        parts.append(float_array(values))
        start = end + 1
    return np.concatenate(parts)


def float_array(values: Any) -> np.ndarray:
    """Numbers as float64; whole numbers that are beyond float64 become infinite."""
    try:
        return np.asarray(values, np.float64)
    except OverflowError:
        return np.array([float("inf")])


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        # The position is that in the rest, which differs where long arrays were taken out.
        return error.msg[:1].lower() + error.msg[1:]
    return str(error).split(";")[0]
