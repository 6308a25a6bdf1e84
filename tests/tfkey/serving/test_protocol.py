"""TensorFlow Serving's protocol: what requests mean, what is refused, what answers look like."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tfkey.serving.conftest import BINS, LEAST_FRAMES, RATE, request
from tfkey.serving.errors import RequestError
from tfkey.serving.protocol import Limits, answer, model_metadata, model_status, read_request
from tfkey.serving.signatures import Served

LIMITS = Limits(seconds=10.0, rows=4)
RNG = np.random.default_rng(0)
SHORT, LONG = RNG.standard_normal(50), RNG.standard_normal(20_000)
PICTURE = RNG.random((LEAST_FRAMES + 2, BINS, 1))


@pytest.mark.parametrize("column", [False, True], ids=["instances", "inputs"])
@pytest.mark.parametrize("objects", [False, True], ids=["plain", "by name"])
@pytest.mark.parametrize(
    ("name", "signature", "rows"),
    [
        ("waveform", None, [SHORT]),
        ("waveform", "", [LONG, SHORT, LONG]),
        ("waveform", "serving_default", [SHORT, LONG]),
        ("waveform", "waveform", [np.array([0]), np.array([1.5])]),
        ("spectrogram", "spectrogram", [PICTURE, PICTURE[:LEAST_FRAMES]]),
    ],
)
def test_all_ways_to_say_the_same(served: Served, name, signature, rows, column, objects) -> None:
    more = {} if signature is None else {"signature_name": signature}
    body = request(name, [row.tolist() for row in rows], column=column, objects=objects, **more)
    found = read_request(body, served, LIMITS)
    assert (found.input, found.is_column) == (name, column)
    assert len(found.rows) == len(rows)
    for got, row in zip(found.rows, rows, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, row.astype(np.float32))


def test_other_keys_are_ignored(served: Served) -> None:
    body = request("waveform", [[1]], parameters={"x": [1]})
    assert read_request(body, served, LIMITS).rows[0].tolist() == [1]


def spectrogram(rows: object) -> dict[str, object]:
    return {"signature_name": "spectrogram", "instances": rows}


FRAME = [[0.5]] * BINS
BAD = [
    ([], "a list; send a JSON object"),
    (None, "null; send a JSON object"),
    ("text", "a string; send a JSON object"),
    ({}, "Missing 'inputs' or 'instances' key"),
    ({"examples": [1]}, "Missing 'inputs' or 'instances' key"),
    ({"instances": [[1]], "inputs": [[1]]}, "both 'inputs' and 'instances'"),
    ({"instances": [[1]], "signature_name": 1}, "signature_name is a number; send a string"),
    ({"instances": [[1]], "signature_name": None}, "signature_name is null; send a string"),
    ({"instances": [[1]], "signature_name": "x"}, 'Serving signature name: "x" not found in signature def'),
    ({"instances": [[1]], "signature_name": "\ud800" * 99}, r"not found in signature def"),
    ({"instances": []}, "instances is empty"),
    ({"inputs": []}, "inputs is empty"),
    ({"inputs": {"waveform": []}}, "waveform is empty"),
    ({"instances": None}, "instances is null"),
    ({"instances": 1.0}, "instances is a number"),
    ({"instances": {"waveform": [[1]]}}, "instances is an object"),
    ({"inputs": "x"}, "inputs is a string"),
    ({"inputs": {}}, "inputs must have exactly the key 'waveform'"),
    ({"inputs": {"waveform": [[1]], "x": 1}}, "inputs must have exactly the key 'waveform'"),
    ({"inputs": {"waveform": 1}}, "waveform is a number"),
    ({"instances": [1.0, 2.0, 5.0]}, "row 0 of waveform has a number where a list is expected"),
    ({"instances": LONG.tolist()}, "a number where a list is expected|list of numbers"),
    ({"inputs": [LONG.tolist(), 3]}, "row 1 of waveform has a number where a list is expected"),
    ({"instances": [[1], {"waveform": [1]}]}, "mixes objects with lists"),
    ({"instances": [{"waveform": [1]}, {"spectrogram": [1]}]}, "row 1 of instances must have exactly"),
    ({"instances": [{"b64": "AAAA"}]}, "base64 is for strings, and this input is numbers"),
    ({"instances": [{"waveform": {"b64": "AAAA"}}]}, "an object where a list is expected"),
    ({"inputs": {"b64": "AAAA"}}, "base64 is for strings"),
    ({"instances": [[]]}, "row 0 of waveform has 0 samples; send at least 1"),
    ({"instances": [[1], [[1]]]}, "row 1 of waveform has a list where a number is expected"),
    ({"instances": [[1, "2"]]}, "a string where a number is expected"),
    ({"instances": [[1, None]]}, "null where a number is expected"),
    ({"instances": [[1, True]]}, "a boolean where a number is expected"),
    ({"instances": [[1, {}]]}, "an object where a number is expected"),
    ({"instances": [[1, float("nan")]]}, "row 0 of waveform has NaN, infinite or too large"),
    ({"instances": [[1], [float("-inf")]]}, "row 1 of waveform has NaN, infinite or too large"),
    ({"instances": [[*LONG.tolist(), float("nan")]]}, "NaN, infinite or too large"),
    ({"instances": [[1.1e6]]}, "too large numbers; send finite ones of at most 1e.06"),
    ({"instances": [[1e39]]}, "NaN, infinite or too large"),
    ({"instances": [[10**400]]}, "NaN, infinite or too large"),
    ({"instances": [[1]] * 5}, "has 5 rows; send at most 4"),
    ({"instances": [[0] * (11 * RATE)]}, "11 s long altogether; send at most 10 s"),
    ({"instances": [[0] * (6 * RATE)] * 2}, "12 s long altogether"),
    (spectrogram([[1]]), r"1 frame; send at least 8"),
    (spectrogram([[FRAME] * 7]), "7 frames; send at least 8"),
    (spectrogram([[FRAME] * 7 + [FRAME[1:]]]), "ragged or of another size; send numbers as .frames, 24, 1"),
    (spectrogram([[[*FRAME, [1]]] * 8]), "ragged or of another size"),
    (spectrogram([[[[0.5, 0.5]] * BINS] * 8]), "ragged or of another size"),
    (spectrogram([[[0.5] * BINS] * 8]), "a number where a list is expected; send numbers as .frames, 24, 1"),
    (spectrogram([[[["x"]] * BINS] * 8]), "a string where a number is expected"),
    (spectrogram([LONG.tolist()]), "where a list is expected"),
    (spectrogram([[LONG.tolist()] * 8]), "where a list is expected|another size"),
    (spectrogram([[FRAME] * 100]), "13 s long altogether; send at most 10 s"),
]


@pytest.mark.parametrize(("values", "message"), BAD, ids=lambda value: str(value)[:40])
def test_what_cannot_be_answered_is_refused_in_one_sentence(served: Served, values, message) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_request(json.dumps(values).encode(), served, LIMITS)
    text = str(caught.value)
    assert caught.value.status == (413 if "altogether" in message else 400)
    assert text.isascii()
    assert "\n" not in text
    assert len(text) < 250


def test_a_network_that_takes_waveforms_has_no_signature_for_spectrograms(metadata) -> None:
    from dataclasses import replace

    served = Served(replace(metadata, takes_waveforms=True))
    assert list(served.signatures) == ["serving_default", "waveform"]
    with pytest.raises(RequestError, match="not found in signature def"):
        read_request(json.dumps(spectrogram([[FRAME] * 8])).encode(), served, LIMITS)


@pytest.mark.parametrize(("is_column", "key"), [(False, "predictions"), (True, "outputs")])
def test_answers_hold_the_shortest_digits_that_give_the_same_numbers(is_column, key) -> None:
    values = RNG.random((3, 24)).astype(np.float32)
    text = answer(values, is_column)
    np.testing.assert_array_equal(np.array(json.loads(text)[key], np.float32), values)
    assert list(json.loads(text)) == [key]
    assert answer(np.array([[0.2]], np.float32), is_column) == b'{"%s": [[0.2]]}' % key.encode()


def test_status_has_the_form_of_the_documentation(served: Served) -> None:
    assert model_status(served) == {
        "model_version_status": [
            {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }


def test_metadata_has_the_form_of_tensorflow_serving(served: Served) -> None:
    found = model_metadata(served)
    assert found["model_spec"] == {"name": "tfkey", "signature_name": "", "version": "3"}
    definitions = found["metadata"]["signature_def"]["signature_def"]
    assert set(definitions) == {"serving_default", "waveform", "spectrogram"}
    assert definitions["spectrogram"] == {
        "inputs": {
            "spectrogram": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {
                    "dim": [{"size": size, "name": ""} for size in ("-1", "-1", "24", "1")],
                    "unknown_rank": False,
                },
                "name": "spectrogram_spectrogram:0",
            }
        },
        "outputs": {
            "probabilities": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {
                    "dim": [{"size": "-1", "name": ""}, {"size": "24", "name": ""}],
                    "unknown_rank": False,
                },
                "name": "StatefulPartitionedCall:0",
            }
        },
        "method_name": "tensorflow/serving/predict",
    }
