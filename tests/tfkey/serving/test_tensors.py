"""Reading JSON with many numbers: what Python's parser gives, in less memory."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfkey.serving.errors import RequestError
from tfkey.serving.tensors import parse_json

LONG = np.random.default_rng(0).standard_normal(40_000)


@pytest.mark.parametrize(
    "values",
    [
        LONG.tolist(),
        np.round(LONG * 1000).astype(int).tolist(),
        [*LONG.tolist(), 1e-300, 10**15, -0.0, 1e5],
        [*LONG.tolist(), float("nan"), float("inf"), float("-inf")],
    ],
    ids=["floats", "integers", "extremes", "special constants"],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_long_arrays_become_arrays_with_the_same_numbers(values, indent) -> None:
    body = json.dumps({"instances": [values, [1, 2]], "signature_name": "[1, 2]"}, indent=indent).encode()
    found = parse_json(body)
    assert isinstance(found["instances"][0], np.ndarray)
    np.testing.assert_array_equal(found["instances"][0], np.array(values, float))
    assert found["instances"][1] == [1, 2]
    assert found["signature_name"] == "[1, 2]"


@pytest.mark.parametrize(
    "value",
    [{}, [], [[[]]], {"a": [1, 2.5, "x", None, True, {"b": "c]"}]}, "text", 3, None, [0.5] * 100],
)
def test_short_json_is_what_pythons_parser_gives(value) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_an_array_in_pieces_is_whole() -> None:
    values = list(range(300_000))
    np.testing.assert_array_equal(parse_json(json.dumps(values).encode()), values)


LONG_TEXT = json.dumps(LONG.tolist())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"{", "not JSON"),
        (b"instances=1", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (LONG_TEXT.replace("]", ",]").encode(), "not JSON"),
        (LONG_TEXT.replace(",", ",,", 1).encode(), "not JSON"),
        (LONG_TEXT.replace(",", " ", 1).encode(), "not JSON"),
        (LONG_TEXT.replace(",", ",nan,", 1).encode(), "not JSON"),
        (LONG_TEXT.replace(",", ",01,", 1).encode(), "not JSON"),
        (LONG_TEXT.replace(",", ",+1,", 1).encode(), "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b"[" + b"[0]," * 6_000_000 + b"0]", "too many elements"),
        (b"[" + b"{}," * 6_000_000 + b"0]", "too many elements"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else None,
)
def test_other_bodies_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        parse_json(body)
    assert caught.value.status in (400, 413)
    assert len(str(caught.value)) < 200


def test_whole_numbers_beyond_floats_become_infinite() -> None:
    body = LONG_TEXT.replace(",", "," + "9" * 400 + ",", 1).encode()
    assert np.isinf(parse_json(body)).any()


def test_long_arrays_are_parsed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's objects for all numbers at once would take many times the memory of the text."""
    sizes: list[int] = []
    loads = json.loads

    def noting(text: str | bytes, **options: object) -> object:
        sizes.append(len(text))
        return loads(text, **options)

    body = json.dumps({"instances": [[0.5] * 400_000]}).encode()
    monkeypatch.setattr(json, "loads", noting)
    assert parse_json(body)["instances"][0].size == 400_000
    assert len(sizes) > 5
    assert max(sizes) < len(body) / 5
