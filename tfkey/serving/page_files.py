"""The page: a fixed list of files, read once. No path of a request reaches the file system."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tfkey.serving.refusals import Refusal

INDEX = "index.html"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    tag: str


def page_routes() -> list[Route]:
    """Return the routes ``/`` and ``/page/NAME``."""
    files = _read_files()

    def give(request: Request, name: str) -> Response:
        file = files.get(name)
        if file is None:
            raise Refusal(404, "the page has no such file")
        # Browsers ask each time, so that a new version of tfkey shows at once.
        headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def index(request: Request) -> Response:
        return give(request, INDEX)

    async def part(request: Request) -> Response:
        return give(request, request.path_params["name"])

    return [Route("/", index), Route("/page/{name}", part)]


def _read_files() -> dict[str, _File]:
    folder = resources.files("tfkey.serving") / "page"
    found = {}
    for item in folder.iterdir() if folder.is_dir() else ():
        media_type = _TYPES.get("." + item.name.rpartition(".")[2])
        if media_type is not None and item.is_file():
            content = item.read_bytes()
            found[item.name] = _File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found
