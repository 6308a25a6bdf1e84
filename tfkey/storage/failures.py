"""What fails in storage elsewhere: said in one line, or tried again."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.storage.addresses import is_remote, redacted, shown

T = TypeVar("T")

# On top of the retries of the libraries: s3fs and botocore have their own, fsspec's HTTP has none.
_WAITS = (0.5, 2.0, 5.0)
_CONNECT_SECONDS = 5.0
_BUSY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_BUSY = frozenset({errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO)})
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_PASSING = frozenset({
    "FSTimeoutError", "ClientPayloadError", "ServerDisconnectedError", "ClientOSError", "ServerTimeoutError",
    "HTTPClientError", "ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError",
    "IncompleteRead", "IncompleteReadError", "ResponseParserError",
})  # fmt: skip
_NO_CONNECTION = frozenset({
    "EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError", "ClientConnectorDNSError",
})  # fmt: skip
_NO_CREDENTIALS = frozenset({
    "NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "TokenRetrievalError",
})  # fmt: skip
NO_CREDENTIALS = "no credentials were found"
"""How the error begins, after the path, where the libraries find no credentials."""
_LIBRARIES = frozenset({
    "botocore", "aiobotocore", "boto3", "aiohttp", "s3fs", "fsspec", "gcsfs", "google", "azure", "adlfs",
    "pyarrow", "paramiko", "smbprotocol", "requests", "urllib3",
})  # fmt: skip


def retried(action: Callable[[], T]) -> T:
    """Return the result of an action, tried again a few times after a failure that may pass.

    Raises:
        Exception: the last failure, or the first that does not pass by waiting.
    """
    start = time.monotonic()
    for wait in _WAITS:
        try:
            return action()
        except Exception as error:
            # To connect, botocore tries long enough itself.
            is_hopeless = _is_unreachable(error) and time.monotonic() - start > _CONNECT_SECONDS
            if is_hopeless or not _is_transient(error):
                raise
        time.sleep(wait)
    return action()


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the libraries raise for a path elsewhere into one error of one line, without credentials.

    For a local path, errors pass unchanged.

    Raises:
        TfkeyError: no such file or bucket, no rights, no credentials, no connection, or another failure.
    """
    try:
        yield
    except TfkeyError:
        raise
    except Exception as error:
        if not is_remote(path) or not _is_of_storage(error):
            raise
        raise _explained(path, error) from error


def is_no_bucket(error: Exception) -> bool:
    """Whether an exception says that the bucket does not exist, not only the object."""
    return any(
        type(one).__name__ == "NoSuchBucket" or "specified bucket does not exist" in str(one)
        for one in _chain(error)
    )


def _explained(path: Path, error: Exception) -> TfkeyError:
    """The error in words that name a remedy."""
    name, status = shown(path), getattr(error, "status", None)
    reason = redacted(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, ImportError):
        return UsageError(f"{name}: needs a package that is not installed ({reason})")
    if any(type(one).__name__ in _NO_CREDENTIALS for one in _chain(error)):
        return TfkeyError(
            f"{name}: {NO_CREDENTIALS}; set them as for other programs (environment, "
            "configuration file), or have fsspec access it anonymously"
        )
    if _is_unreachable(error):
        return TfkeyError(
            f"{name}: the storage does not answer ({reason}); check the address, the endpoint "
            "(AWS_ENDPOINT_URL or the configuration of fsspec) and the network"
        )
    if isinstance(error, FileNotFoundError) or status == 404:
        what = "no such bucket" if is_no_bucket(error) else "no such file"
        return DataError(f"{name}: {what}; check the address")
    if isinstance(error, OSError) and error.errno in _FULL:
        return TfkeyError(
            f"{name}: the temporary folder is full ({reason}); set TMPDIR to one with free space"
        )
    if isinstance(error, PermissionError) or status in (401, 403):
        return TfkeyError(f"{name}: access denied ({reason}); check the credentials and their rights")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{name}: a folder, not a file; name a file")
    if _is_transient(error):
        return TfkeyError(f"{name}: the storage failed several times ({reason}); try again later")
    return TfkeyError(f"{name}: the storage refused ({reason}); check the address and its rights")


def _is_of_storage(error: Exception) -> bool:
    """Whether an exception tells of storage, not of a fault in the program."""
    return isinstance(error, OSError | ImportError | TimeoutError) or any(
        one.__module__.partition(".")[0] in _LIBRARIES for one in type(error).__mro__
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_unreachable(error: Exception) -> bool:
    """Whether no connection came about; botocore says so of some connections that were cut, too."""
    return any(
        type(one).__name__ in _NO_CONNECTION or isinstance(one, ConnectionRefusedError)
        for one in _chain(error)
    )


def _is_transient(error: Exception) -> bool:
    """Whether a failure may pass by waiting: a busy server, a connection that was cut, a time-out."""
    if _is_unreachable(error):
        return True
    for one in _chain(error):
        if any(kind.__name__ in _PASSING for kind in type(one).__mro__):
            return True
        if isinstance(one, ConnectionError | TimeoutError):
            return True
        if getattr(one, "status", None) in _BUSY_STATUS or getattr(one, "code", None) in _BUSY_STATUS:
            return True
        if isinstance(one, OSError) and one.errno in _BUSY:
            return True
    return False
