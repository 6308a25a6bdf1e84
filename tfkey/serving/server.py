"""Running the server until it is stopped; then it finishes what has begun."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.routing import BaseRoute

from tfkey.errors import UsageError
from tfkey.serving.app import create_app
from tfkey.serving.connections import BoundedProtocol
from tfkey.serving.guards import HEADER_BYTES
from tfkey.serving.settings import ServerSettings
from tfkey.serving.uploads import UploadFolder
from tfkey.serving.workers import WorkerPool


def serve(
    settings: ServerSettings,
    open_: Callable[[], Any],
    on_ready: Callable[[str, str], None],
    more_routes: Callable[[Callable[[], None]], Sequence[BaseRoute]] | None = None,
    uploads: Path | None = None,
) -> None:
    """Serve until a signal (SIGINT, SIGTERM) or a route stops the server. A second signal stops at once.

    Args:
        settings: the settings.
        open_: called in each process; returns the estimator. It must pickle.
        on_ready: called with the address and the description of the network when the server takes requests.
        more_routes: called with a function that stops the server; returns further routes.
        uploads: where the private folder for uploads is made; None for the system's temporary folder.

    Raises:
        UsageError: the address cannot be listened on.
        TfkeyError: the network cannot be loaded.
    """
    with _listening(settings) as listener:
        asyncio.run(_serve(settings, open_, on_ready, more_routes, listener, uploads))


async def _serve(
    settings: ServerSettings,
    open_: Callable[[], Any],
    on_ready: Callable[[str, str], None],
    more_routes: Callable[[Callable[[], None]], Sequence[BaseRoute]] | None,
    listener: socket.socket,
    uploads: Path | None,
) -> None:
    pool = WorkerPool(open_, settings.workers, settings.max_memory_mb)
    # Broken requests are the clients' fault, and not worth a line each.
    for name in ("uvicorn.error", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with UploadFolder(uploads) as folder:
        try:
            await pool.start()
            routes = () if more_routes is None else more_routes(lambda: server.stop())
            app = create_app(settings, pool, folder, routes)
            await app.state.api.prepare()
            server = _Server(
                uvicorn.Config(
                    app,
                    http=BoundedProtocol,
                    ws="none",
                    loop="asyncio",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    h11_max_incomplete_event_size=HEADER_BYTES,
                    timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
                ),
                lambda: on_ready(address_of(listener, settings.host), pool.description),
            )
            await server.serve([listener])
        finally:
            await pool.close()


def address_of(listener: socket.socket, host: str) -> str:
    """Return the address at which this machine reaches a server, as a URL."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


@contextlib.contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket.socket]:
    """Take the port. The system queues connections, and nobody answers them yet."""
    where = f"{settings.host}, port {settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # asyncio turns Nagle's algorithm off (40 ms an answer) only where the protocol is stated.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            f"{where}: is not an address to listen on ({error.strerror}); give one of this machine",
            remedy="host",
        ) from error
    with listener:
        try:
            if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
        except OSError as error:
            is_elsewhere = error.errno == errno.EADDRNOTAVAIL
            remedy = "give an address of this machine" if is_elsewhere else "choose another port or address"
            raise UsageError(
                f"{where}: cannot be listened on ({error.strerror}); {remedy}",
                remedy="host" if is_elsewhere else "port",
            ) from error
        listener.setblocking(False)
        yield listener


class _Server(uvicorn.Server):
    """A server that says when it is ready, and ends without raising the signal that stopped it."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    def stop(self) -> None:
        """Finish what has begun, and end."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let signals stop the server: the first one cleanly, the second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: cleanly, or at once if the server is already stopping."""
        if self.should_exit:
            self.force_exit = True
            self._loop.call_soon_threadsafe(self._cut_off)
        self.should_exit = True

    def _cut_off(self) -> None:
        for connection in self.server_state.connections:
            connection.transport.abort()
