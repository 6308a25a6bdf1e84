"""The paths below ``/v1/models``, ``/metrics`` and ``/openapi.json``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tfkey.errors import TfkeyError
from tfkey.serving.batching import Answers, Batcher, Body
from tfkey.serving.errors import PoolError
from tfkey.serving.estimate import LEAST_STEP, MOST_STEP
from tfkey.serving.failures import refusal_of, unless_gone, vanished
from tfkey.serving.metrics import Metrics
from tfkey.serving.openapi import description
from tfkey.serving.predict_task import DescribeTask, PredictTask
from tfkey.serving.protocol import MODEL, Limits, model_metadata, model_status
from tfkey.serving.refusals import Refusal
from tfkey.serving.settings import ServerSettings
from tfkey.serving.signatures import Served
from tfkey.serving.uploads import UploadFolder, body, check_stated_length, no_room
from tfkey.serving.workers import WorkerPool

_IN_MEMORY_BYTES = 2**20
"""Longer bodies go to the process as a file."""

_SHOWN = 40
_VERSION = re.compile(r"[0-9]{1,19}")


class _ModelConvertor(StringConvertor):
    """A model's name: a path segment without the colon that precedes the verb."""

    regex = "[^/:]+"


register_url_convertor("model", _ModelConvertor())


class PredictApi:
    """TensorFlow Serving's paths on a pool of processes.

    Args:
        settings: the settings.
        pool: the processes; they have been started.
        folder: where long bodies lie until they are answered.
        metrics: what the server counts.
    """

    def __init__(
        self, settings: ServerSettings, pool: WorkerPool, folder: UploadFolder, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._folder = folder
        self._metrics = metrics
        self._limits = Limits(settings.max_seconds, settings.max_rows)
        self._known: Served | None = None
        self._batcher = Batcher(
            self._run, settings.max_batch, settings.batch_wait_seconds, settings.workers, metrics.count_batch
        )

    async def prepare(self) -> None:
        """Ask the processes what they serve, before they are busy.

        Raises:
            TfkeyError: none of them could say it.
        """
        try:
            await self._served()
        except Refusal as error:
            raise TfkeyError(f"the network does not describe itself: {error}") from error

    def routes(self) -> list[Route]:
        """Return the routes."""
        found = [
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
        ]
        for place in ("", "/versions/{version:model}"):
            base = f"/v1/models/{{model:model}}{place}"
            found += [
                Route(base, self.status, methods=["GET"]),
                Route(f"{base}/metadata", self.metadata, methods=["GET"]),
                Route(f"{base}:predict", self.predict, methods=["POST"]),
            ]
        return found

    async def status(self, request: Request) -> Response:
        """``GET /v1/models/tfkey``."""
        served = await self._served()
        _check(request, served)
        return JSONResponse(model_status(served))

    async def metadata(self, request: Request) -> Response:
        """``GET /v1/models/tfkey/metadata``."""
        served = await self._served()
        _check(request, served)
        return JSONResponse(model_metadata(served))

    async def predict(self, request: Request) -> Response:
        """``POST /v1/models/tfkey:predict``."""
        served = await self._served()
        _check(request, served)
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "the body is compressed; send it as it is")
        async with self._body(request) as found:
            try:
                text = await unless_gone(request, self._batcher.answer(found))
            except (TfkeyError, PoolError) as error:
                if isinstance(found, Path) and not found.exists():
                    raise vanished() from error
                raise refusal_of(error, self._settings) from error
        return Response(text, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """``GET /metrics``."""
        text, kind = self._metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": kind})

    async def openapi(self, request: Request) -> Response:
        """``GET /openapi.json``."""
        return JSONResponse(description(await self._served(), self._settings, LEAST_STEP, MOST_STEP))

    async def _served(self) -> Served:
        """What the processes serve; they are asked once."""
        if self._known is None:
            try:
                self._known = await self._pool.run(DescribeTask(), self._settings.timeout_seconds)
            except (TfkeyError, PoolError) as error:
                raise refusal_of(error, self._settings) from error
        return self._known

    async def _run(self, bodies: tuple[Body, ...]) -> Answers:
        task = PredictTask(bodies, await self._served(), self._limits, self._settings.max_batch)
        return await self._pool.run(task, self._settings.timeout_seconds)

    @contextlib.asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[Body]:
        """Receive a body: into memory, or into a file, which is removed at the end, if it is long."""
        check_stated_length(request, self._settings)
        start = bytearray()
        with contextlib.ExitStack() as stack:
            stream, path = None, None
            async for chunk in body(request.receive, self._settings):
                if stream is None and len(start) + len(chunk) <= _IN_MEMORY_BYTES:
                    start += chunk
                    continue
                try:
                    if stream is None:
                        path, stream = stack.enter_context(self._folder.new_file(".json"))
                        stream.write(start)
                    stream.write(chunk)
                    # What a buffer keeps would fail later, where nothing expects it.
                    stream.flush()
                except OSError as error:
                    raise no_room(error) from error
            yield bytes(start) if path is None else path


def _check(request: Request, served: Served) -> None:
    """Refuse another model or version, in the words of TensorFlow Serving."""
    model, version = request.path_params["model"], request.path_params.get("version")
    shown = ascii(model)[1:-1][:_SHOWN]
    if version is not None and not _VERSION.fullmatch(version):
        raise Refusal(404, f"Failed to convert version: {ascii(version)[1:-1][:_SHOWN]} to numeric.")
    number = None if version is None else int(version)
    if model == MODEL and number in (None, served.version):
        return
    if request.method == "POST":
        which = f"Latest({shown})" if number is None else f"Specific({shown}, {number})"
        raise Refusal(404, f"Servable not found for request: {which}")
    versions = "any versions" if number is None else f"version {number}"
    raise Refusal(404, f"Could not find {versions} of model {shown}")
