"""``POST /estimate``: a file, and what is said of it; ``GET /healthz``."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tfkey.errors import TfkeyError
from tfkey.serving.errors import PoolError
from tfkey.serving.failures import refusal_of, unless_gone, vanished
from tfkey.serving.refusals import Refusal, busy
from tfkey.serving.settings import ServerSettings
from tfkey.serving.tasks import EstimateTask
from tfkey.serving.uploads import received
from tfkey.serving.workers import WorkerPool

LEAST_STEP, MOST_STEP = 1.0, 600.0
"""The domain of ``over_time`` in seconds."""


async def estimate(request: Request) -> Response:
    """Name the key of the uploaded file."""
    state = request.app.state
    settings: ServerSettings = state.settings
    options = _options(request)
    async with received(request, state.folder, settings) as upload:
        task = EstimateTask(upload.path, upload.name, max_seconds=settings.max_seconds, **options)
        try:
            fields = await unless_gone(request, state.pool.run(task, settings.timeout_seconds))
        except (TfkeyError, PoolError) as error:
            if not upload.path.exists():
                raise vanished() from error
            raise refusal_of(error, settings) from error
    state.metrics.count_audio(fields["seconds"])
    return JSONResponse(fields)


async def healthz(request: Request) -> Response:
    """Say whether a process is ready to work."""
    pool: WorkerPool = request.app.state.pool
    if not pool.ready:
        raise busy("no process is ready; try again later")
    return JSONResponse({"status": "ok", "workers": pool.ready, "queued": pool.queued})


def _options(request: Request) -> dict[str, Any]:
    """Return the fields of the task that the query gives."""
    query = request.query_params
    unknown = sorted(set(query) - {"over_time", "picture", "min_confidence"})
    if unknown:
        raise Refusal(
            400, f"unknown parameter {unknown[0][:40]!r}; known are over_time, picture and min_confidence"
        )
    for name in query:
        if len(query.getlist(name)) > 1:
            raise Refusal(400, f"the parameter {name} is given more than once; give it once")
    step = query.get("over_time")
    if query.get("picture", "0") not in ("0", "1"):
        raise Refusal(400, "picture is neither 0 nor 1; give one of them")
    return {
        "step_seconds": None if step is None else _number("over_time", step, LEAST_STEP, MOST_STEP),
        "min_confidence": _number("min_confidence", query.get("min_confidence", "0"), 0.0, 1.0),
        "picture": query.get("picture") == "1",
    }


def _number(name: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise Refusal(400, f"{name} is not a number from {least:g} to {most:g}; give one")
    return value
