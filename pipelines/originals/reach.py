"""Telling a network that is down from a file that is gone, by what apt-get and git say."""

from __future__ import annotations

from tfkey.errors import DataError

_SIGNS = (
    "Failed to fetch", "Could not resolve", "Could not connect", "Failed to connect", "Temporary failure",
    "timed out", "Network is unreachable", "No route to host", "Connection refused",
)  # fmt: skip


class UnreachableError(DataError):
    """The host cannot be reached; other files of the same host would fail likewise."""


def failure(what: str, output: str, reason: str, remedy: str) -> DataError:
    """Return the error for something that was not fetched.

    Args:
        what: the package or repository.
        output: what the program wrote.
        reason: the line of it that says why.
        remedy: what to do unless the network is down.
    """
    if any(sign in output for sign in _SIGNS):
        return UnreachableError(f"{what}: cannot be fetched ({reason}); check the network")
    return DataError(f"{what}: cannot be fetched ({reason}); {remedy}")
