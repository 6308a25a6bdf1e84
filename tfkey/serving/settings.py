"""The settings of the server: its address, its processes, and the limits on what clients may ask."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from typing import Annotated

from pydantic import Field

from tfkey.sections import Section

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""The host names by which a client on the same machine reaches the server."""

_HOST_NAME = r"^\[?[\w.:-]+\]?$"
"""A name or address as in a ``Host`` header: no scheme, path or pattern, which would never match one."""


class ServerSettings(Section):
    """The settings of the server; times are in seconds."""

    host: str = Field("127.0.0.1", min_length=1, description="The address or name to listen on.")
    port: int = Field(8501, ge=0, le=65535, description="The port; 0 for a free one.")
    token: str | None = Field(
        None,
        min_length=8,
        pattern=r"^[!-~]+$",
        description="What clients must send; None for nothing.",
    )
    allowed_hosts: tuple[Annotated[str, Field(pattern=_HOST_NAME)], ...] = Field(
        (), description="Further host names by which clients reach the server, as behind a proxy."
    )
    workers: int = Field(1, ge=1, le=256, description="Processes that analyse recordings.")
    max_upload_mb: float = Field(200.0, gt=0, le=100_000, description="Megabytes (2**20) of a request.")
    max_seconds: float = Field(7200.0, gt=0, description="Length of a recording.")
    max_requests: int = Field(32, ge=1, le=10_000, description="Requests at once that wait for an answer.")
    timeout_seconds: float = Field(
        120.0, gt=0, le=86_400, description="Time that a request may wait for a process, and then take."
    )
    body_timeout_seconds: float = Field(
        20.0, gt=0, le=86_400, description="Time without a byte after which an upload is given up."
    )
    upload_timeout_seconds: float = Field(600.0, gt=0, le=86_400, description="Time of a whole upload.")
    stop_seconds: float = Field(
        120.0, gt=0, le=86_400, description="Time to finish the requests that have begun when it is stopped."
    )
    max_rows: int = Field(256, ge=1, le=65536, description="Rows of a request of :predict.")
    max_batch: int = Field(
        4, ge=1, le=1024, description="Requests of :predict, and inputs of the network, that go together."
    )
    batch_wait_seconds: float = Field(
        0.002, ge=0, le=1, description="Time that a request of :predict waits for others."
    )
    max_memory_mb: int = Field(
        2048, ge=64, description="Memory that a process may take for a request, on top of its network."
    )

    @property
    def max_upload_bytes(self) -> int:
        """The greatest size of a request's body in bytes."""
        return int(self.max_upload_mb * 2**20)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host.lower() == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """Whether the server listens on every address of the machine."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_unspecified
        return False


def usual_workers() -> int:
    """One process per core, at most 4."""
    with contextlib.suppress(AttributeError):
        return min(4, len(os.sched_getaffinity(0)))
    return min(4, os.cpu_count() or 1)
