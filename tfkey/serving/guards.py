"""Who may ask what: host names, origins, the token, requests at once; and what every answer carries."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfkey.serving.refusals import Refusal, busy
from tfkey.serving.settings import LOOPBACK_NAMES, ServerSettings
from tfkey.serving.uploads import ClientGone

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""

HEADER_BYTES = 32 * 1024
"""The greatest size of a request's target and headers."""

OPEN_PATHS = ("/", "/healthz", "/view/token")
"""Paths that need no token, beside those below ``/page/``; the last one asks for a ticket instead."""


def new_token() -> str:
    """Return a random token of 256 bits."""
    return secrets.token_urlsafe(32)


class Answering:
    """Outermost: gives every answer the security headers, and turns refusals into answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except ClientGone:
            # Nobody reads the answer; the server only wants to see one.
            refusal = Refusal(400, "the connection was closed before the end of the request")
        except Refusal as error:
            refusal = error
        except asyncio.CancelledError:
            # The time to finish what has begun is over; nothing comes after this answer.
            refusal = busy("the server is stopping; send the request again")
        except Exception:
            # A fault of the program. The client learns nothing of its inside.
            logging.getLogger(__name__).exception("%s %r failed", scope["method"], scope["path"])
            refusal = Refusal(500, "the server failed on this request; its log says how")
        else:
            return
        if not has_begun:
            await refusal.response()(scope, receive, send_guarded)


class Admission:
    """Refuses requests by other names of the server, from other sites, and without the token."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._names = _names(settings)
        self._is_wildcard = settings.is_wildcard
        self._token = None if settings.token is None else settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise a Refusal."""
        if scope["type"] == "http":
            _check_size(scope)
            headers = Headers(scope=scope)
            host = self._check_host(headers)
            _check_site(scope, headers, host)
            self._check_token(scope, headers)
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> str:
        """Refuse names that are not the server's: a foreign name may have been bound to this address."""
        given = headers.getlist("host")
        name = host_name(given[0]) if len(given) == 1 else None
        if name is None:
            raise Refusal(400, "the request has no valid Host header; send one")
        if name in self._names or (self._is_wildcard and _is_address(name)):
            return given[0].lower()
        raise Refusal(421, "the Host header names another server; use the address that this server printed")

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        path = scope["path"]
        if self._token is None or path in OPEN_PATHS or path.startswith("/page/"):
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # In constant time. Headers are latin-1, which compare_digest takes as bytes only.
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            return
        raise Refusal(
            401,
            "the token is missing or wrong; send the header Authorization: Bearer TOKEN",
            {"WWW-Authenticate": 'Bearer realm="tfkey"'},
        )


class Places:
    """Lets so many requests at once have work done; more are asked to come back.

    Requests without work, such as for the page, are always answered and not counted.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._most = settings.max_requests
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise a Refusal."""
        has_work = scope["type"] == "http" and scope["method"] == "POST"
        if not has_work or scope["path"].startswith("/view/"):
            await self._app(scope, receive, send)
            return
        if self._taken >= self._most:
            raise busy(f"the server is working on {self._most} requests, which is its limit; try again later")
        self._taken += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._taken -= 1


def host_name(text: str) -> str | None:
    """Return the name in a ``Host`` header, in lower case and without the port; None if it is not one."""
    try:
        parts = urlsplit(f"//{text}")
        parts.port  # noqa: B018 - raises if it is not a port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None or not parts.hostname:
        return None
    return parts.hostname.rstrip(".")


def headers_too_large() -> Refusal:
    """Return the refusal of headers over the limit."""
    return Refusal(431, f"the headers are larger than {HEADER_BYTES // 1024} KB; send fewer")


def _check_size(scope: Scope) -> None:
    """Refuse headers over the limit; the connection refuses only those that do not come all at once."""
    size = len(scope.get("raw_path", b"")) + len(scope["query_string"])
    if size + sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > HEADER_BYTES:
        raise headers_too_large()


def _check_site(scope: Scope, headers: Headers, host: str) -> None:
    """Refuse what a page of another site asks for; following a link to the page is allowed."""
    site = headers.get("sec-fetch-site")
    is_visit = scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
    is_foreign = site not in (None, "same-origin", "none") and not is_visit
    origins: Iterable[str] = headers.getlist("origin")
    # The scheme may differ behind a proxy.
    if is_foreign or any(urlsplit_host(origin) != host for origin in origins):
        raise Refusal(403, "pages of other sites may not use this server; open its own page")


def urlsplit_host(origin: str) -> str | None:
    """Return the host and port in an ``Origin`` header, in lower case; None for ``null`` and the like."""
    scheme, separator, rest = origin.partition("://")
    return rest.lower() if separator and scheme in ("http", "https") else None


def _names(settings: ServerSettings) -> frozenset[str]:
    given = {settings.host, *settings.allowed_hosts}
    names = {name for name in (host_name(_bracketed(item)) for item in given) if name is not None}
    if settings.is_wildcard:
        full = socket.gethostname().lower()
        short = full.partition(".")[0]
        names |= {full, short, f"{short}.local"}
    return frozenset(names | LOOPBACK_NAMES)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
