"""The application: routes, and the guards around them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tfkey.serving.estimate import estimate, healthz
from tfkey.serving.guards import Admission, Answering, Places
from tfkey.serving.metrics import Metrics, MetricsMiddleware, path_template
from tfkey.serving.page_files import page_routes
from tfkey.serving.predict_api import PredictApi
from tfkey.serving.refusals import Refusal
from tfkey.serving.settings import ServerSettings
from tfkey.serving.uploads import UploadFolder
from tfkey.serving.workers import WorkerPool


def create_app(
    settings: ServerSettings, pool: WorkerPool, folder: UploadFolder, more_routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the application.

    Args:
        settings: the settings.
        pool: the processes; they have been started.
        folder: where uploads lie until they are answered.
        more_routes: further routes, such as those of :mod:`tfkey.serving.viewing`.
    """
    metrics = Metrics()
    metrics.watch(pool)
    api = PredictApi(settings, pool, folder, metrics)
    routes = [
        *page_routes(),
        Route("/estimate", estimate, methods=["POST"]),
        Route("/healthz", healthz),
        *api.routes(),
        *more_routes,
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(MetricsMiddleware, metrics=metrics, template=path_template(routes)),
            Middleware(Answering),
            Middleware(Admission, settings=settings),
            Middleware(Places, settings=settings),
        ],
        exception_handlers={HTTPException: _on_http_error, Refusal: _on_refusal},
    )
    # A path with a slash too many is unknown, not moved.
    app.router.redirect_slashes = False
    app.state.settings, app.state.pool, app.state.folder = settings, pool, folder
    app.state.metrics, app.state.api = metrics, api
    return app


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = str(error.detail)
    if error.status_code == 404:
        sentence = "there is no such path here; /openapi.json lists the paths"
    elif error.status_code == 405:
        # Starlette keeps methods in a set, which has no order.
        allowed = sorted((error.headers or {}).get("Allow", "another").split(", "))
        sentence = f"this path does not take this method; use {', '.join(allowed)}"
    return Refusal(error.status_code, sentence, error.headers).response()


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()
