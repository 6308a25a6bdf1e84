"""The server's OpenAPI description (version 3.1), assembled by hand around the schemas of its answers."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from tfkey._version import __version__
from tfkey.serving.protocol import LARGEST, MODEL
from tfkey.serving.schemas import ANSWERS
from tfkey.serving.settings import ServerSettings
from tfkey.serving.signatures import SPECTROGRAM, WAVEFORM, Served

_REFERENCE = "#/components/schemas/{model}"
_REASONS = {
    400: "The request has a fault.",
    401: "The token is missing or wrong.",
    403: "A page of another site sent the request.",
    404: "There is no such model, version or path.",
    408: "The body did not arrive in time.",
    413: "The body, or what it asks for, is too large.",
    415: "The body is of another type.",
    421: "The Host header names another server.",
    422: "The recording cannot be read, or the work cannot be done.",
    503: "The server is busy; try again after the seconds in Retry-After.",
}
# Every operation can be refused by the guards.
_ALWAYS = (400, 401, 403, 421)


def description(
    served: Served, settings: ServerSettings, least_step: float, most_step: float
) -> dict[str, Any]:
    """Return the OpenAPI description.

    Args:
        served: the network; the shapes of its inputs are part of the description.
        settings: the settings; its limits are part of the description.
        least_step: the least value of ``over_time`` in seconds.
        most_step: its greatest value.
    """
    _, definitions = models_json_schema(
        [(model, "serialization") for model in ANSWERS], ref_template=_REFERENCE
    )
    schemas = {**definitions["$defs"], "PredictRequest": _predict_request(served, settings)}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "tfkey",
            "version": __version__,
            "description": "Names the musical key of audio. The paths below /v1 speak TensorFlow Serving's "
            f"REST protocol. The network: {served.metadata.description}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/estimate": {"post": _estimate(least_step, most_step)},
            "/healthz": {"get": _get("health", "Say whether a process is ready.", "Health", 503)},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _openapi()},
            **_model_paths(served),
        },
        "components": {"schemas": schemas},
    }
    if settings.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        document["paths"]["/healthz"]["get"]["security"] = []
    return document


def _estimate(least_step: float, most_step: float) -> dict[str, Any]:
    return {
        "operationId": "estimate",
        "summary": "Name the key of a recording.",
        "parameters": [
            _query(
                "over_time",
                "Also give the key over time, in intervals that start so many seconds apart.",
                {"type": "number", "minimum": least_step, "maximum": most_step},
            ),
            _query("picture", "1 to also give what one draws of the recording.", {"enum": ["0", "1"]}),
            _query(
                "min_confidence",
                "A key with a lower confidence is not given.",
                {"type": "number", "minimum": 0, "maximum": 1},
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {"type": "string", "format": "binary", "description": "The audio file."}
                        },
                        "required": ["file"],
                        "additionalProperties": False,
                    },
                    "encoding": {"file": {"contentType": "audio/*"}},
                }
            },
        },
        "responses": {
            "200": _response("The key.", "EstimateAnswer"),
            **_refusals(408, 413, 415, 422, 503),
        },
    }


def _model_paths(served: Served) -> dict[str, Any]:
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The number of a version.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,9}$", "examples": [str(served.version)]},
    }
    paths = {}
    for place, suffix, parameters in (
        ("", "", []),
        ("/versions/{version}", "OfVersion", [version]),
    ):
        base = f"/v1/models/{MODEL}{place}"
        status = _get(f"status{suffix}", "Say whether the model can be used.", "ModelStatus", 404, 422, 503)
        metadata = _get(f"metadata{suffix}", "Describe the signatures.", "ModelMetadata", 404, 422, 503)
        found: dict[str, dict[str, Any]] = {
            base: {"get": status},
            f"{base}/metadata": {"get": metadata},
            f"{base}:predict": {"post": _predict(f"predict{suffix}")},
        }
        for item in found.values():
            if parameters:
                item["parameters"] = parameters
        paths.update(found)
    return paths


def _predict(name: str) -> dict[str, Any]:
    answers = [{"$ref": _REFERENCE.format(model=model)} for model in ("Predictions", "Outputs")]
    return {
        "operationId": name,
        "summary": "Apply a signature to waveforms or spectrograms.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model="PredictRequest")}}},
        },
        "responses": {
            "200": {
                "description": "Calibrated probabilities: C major to B major, then C minor to B minor.",
                "content": {"application/json": {"schema": {"anyOf": answers}}},
            },
            **_refusals(404, 408, 413, 415, 422, 503),
        },
    }


def _predict_request(served: Served, settings: ServerSettings) -> dict[str, Any]:
    """The bodies of ``:predict``: an input in row or in column format, each plain or by name."""
    variants: list[dict[str, Any]] = []
    for name in dict.fromkeys(served.signatures.values()):
        signatures = [signature for signature, given in served.signatures.items() if given == name]
        if name == WAVEFORM:
            signatures.append("")
        row = _row(name, served)
        rows = {"type": "array", "items": row, "minItems": 1, "maxItems": settings.max_rows}
        named = {"type": "array", "items": _by_name(name, row), "minItems": 1, "maxItems": settings.max_rows}
        for key, other, values in (
            ("instances", "inputs", [rows, named]),
            ("inputs", "instances", [rows, _by_name(name, rows)]),
        ):
            required = [key] if name == WAVEFORM else [key, "signature_name"]
            variants.extend(
                {
                    "type": "object",
                    "properties": {"signature_name": {"enum": signatures}, key: value, other: False},
                    "required": required,
                }
                for value in values
            )
    return {"anyOf": variants}


def _by_name(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}


def _row(name: str, served: Served) -> dict[str, Any]:
    """One row of an input: ``[samples]`` or ``[frames, bins, 1]``."""
    schema: dict[str, Any] = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    for size in reversed(served.shape(name)):
        schema = {"type": "array", "items": schema}
        if size > 0:
            schema |= {"minItems": size, "maxItems": size}
        else:
            schema |= {"minItems": served.least(name)}
    what = {
        WAVEFORM: f"A mono recording at {served.metadata.features.sample_rate} Hz, full scale at 1.",
        SPECTROGRAM: "A spectrogram [frames, bins, 1] in [0, 1].",
    }
    return {**schema, "description": what[name]}


def _metrics() -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    return {
        "operationId": "metrics",
        "summary": "What the server counts and measures, for Prometheus.",
        "responses": {
            "200": {
                "description": "Metrics.",
                "content": {"text/plain": text, "application/openmetrics-text": text},
            },
            **_refusals(),
        },
    }


def _openapi() -> dict[str, Any]:
    answer = {
        "description": "This description.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    return {
        "operationId": "openapi",
        "summary": "Describe the server.",
        "responses": {"200": answer, **_refusals(422, 503)},
    }


def _get(name: str, summary: str, model: str, *statuses: int) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _response(summary, model), **_refusals(*statuses)},
    }


def _query(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _response(text: str, model: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model)}}}
    return {"description": text, "content": content}


def _refusals(*statuses: int) -> dict[str, Any]:
    found = {str(status): _response(_REASONS[status], "Error") for status in sorted({*_ALWAYS, *statuses})}
    if "503" in found:
        found["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return found
