"""Reaching a Dask scheduler and its workers, and checking that they run the same software."""

from __future__ import annotations

import contextlib
import platform
import queue
import re
import threading
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfkey._version import __version__
from tfkey.errors import MissingExtraError, TfkeyError, UsageError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 5.0
"""How long a scheduler may take to answer."""
WORKER_SECONDS = 60.0
"""How long to wait, unless stated otherwise, for workers, and for a scheduler that was lost."""

_ADDRESS = re.compile(
    r"(?:(tcp|tls|ws|wss)://)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})/?", re.IGNORECASE
)
_VERSIONS_SECONDS = 10.0
_SPARE_SECONDS = 2.0

Versions = tuple[str, str]
"""The versions of tfkey and Python that must agree."""

# A worker without tfkey can run what Python itself contains; anything of tfkey's own would end it.
_HAS_TFKEY = "__import__('importlib.util').util.find_spec('tfkey') is not None"


@dataclass
class Cluster:
    """Where to work.

    Attributes:
        address: the address of a Dask scheduler (:func:`check_address`).
        patience: how many seconds to wait for workers, and for a scheduler that was lost.
    """

    address: str
    patience: float = WORKER_SECONDS


def versions() -> Versions:
    """Return the versions of tfkey and Python (without its patch level) of this process."""
    return __version__, ".".join(platform.python_version_tuple()[:2])


def in_words(found: Versions) -> str:
    """Name versions."""
    return f"tfkey {found[0]} on Python {found[1]}"


def check_address(address: str) -> str:
    """Return the address of a scheduler with its scheme.

    Args:
        address: ``HOST:PORT``, or a URL with the scheme ``tcp``, ``tls``, ``ws`` or ``wss``.

    Raises:
        UsageError: it is something else.
    """
    found = _ADDRESS.fullmatch(address.strip())
    if found is None or not 0 < int(found[3]) < 1 << 16:
        raise UsageError(
            f"{address!r} is not the address of a Dask scheduler; give HOST:PORT or tcp://HOST:PORT"
        )
    return f"{(found[1] or 'tcp').lower()}://{found[2]}:{found[3]}"


def check_cluster(address: str, patience: float = WORKER_SECONDS) -> None:
    """Check that a cluster can be used: the scheduler answers, and has workers with the same software.

    Args:
        address: see :func:`check_address`.
        patience: how many seconds to wait for the first worker.

    Raises:
        UsageError: the address is malformed.
        TfkeyError: the scheduler does not answer, has no workers, or a version differs.
    """
    address = check_address(address)
    client = open_client(address, min(CONNECT_SECONDS, patience))
    try:
        wait_for_workers(client, address, patience)
        check_versions(client)
    finally:
        close_client(client)


def open_client(address: str, seconds: float = CONNECT_SECONDS) -> Client:
    """Connect to a scheduler.

    Args:
        address: as :func:`check_address` returns it.
        seconds: how long it may take to answer.

    Raises:
        MissingExtraError: Dask is not installed.
        TfkeyError: nothing that speaks Dask's protocol answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("work on a cluster", "Dask", "tfkey[cluster]") from error
    opened: queue.SimpleQueue[Client | Exception] = queue.SimpleQueue()

    def connect() -> None:
        try:
            with warnings.catch_warnings():
                # check_versions says it in one line.
                warnings.simplefilter("ignore")
                opened.put(Client(address, timeout=seconds, set_as_default=False))
        except Exception as error:
            # Whatever listens there, if it is not a scheduler, makes Dask raise almost anything.
            opened.put(error)

    # In a thread, because Dask waits for ever where something listens that says nothing.
    threading.Thread(target=connect, daemon=True).start()
    problem: Exception | None = None
    with contextlib.suppress(queue.Empty):
        answer = opened.get(timeout=seconds + _SPARE_SECONDS)
        if not isinstance(answer, Exception):
            return answer
        problem = answer
    reason = "" if problem is None or isinstance(problem, OSError) else " ".join(str(problem).split())
    raise TfkeyError(
        f"{address}: no Dask scheduler can be reached ({reason or f'none answered within {seconds:g} s'}); "
        "check the address, and that dask scheduler runs there"
    ) from problem


def close_client(client: Client, seconds: float = 5.0) -> None:
    """Close a connection, also a broken one, without waiting long."""
    try:
        client.close(timeout=seconds)
    except Exception:
        # A broken connection; Dask raises errors of many libraries here.
        return


def threads_of(client: Client) -> int:
    """Return the number of threads of all workers."""
    return sum(client.nthreads().values())


def wait_for_workers(client: Client, address: str, patience: float) -> int:
    """Wait for the first worker.

    Returns:
        The number of threads of all workers.

    Raises:
        TfkeyError: no worker came within ``patience`` seconds.
    """
    end = time.monotonic() + patience
    while not (threads := threads_of(client)):
        if time.monotonic() > end:
            raise no_workers(address, patience)
        time.sleep(0.2)
    return threads


def no_workers(address: str, patience: float) -> TfkeyError:
    """Return the error for a scheduler without workers."""
    return TfkeyError(
        f"{address}: the scheduler has had no workers for {patience:g} s; start some with: dask worker "
        f"{address} --nthreads 1"
    )


def check_versions(client: Client) -> None:
    """Check the versions of the scheduler and of all workers, as far as they are known.

    Dask names the version of tfkey only where it is installed as a package; a batch of work checks it again
    in each worker. Workers that do not answer in time are left to that check.

    Raises:
        TfkeyError: a version differs, and both are named; or a worker has no tfkey.
    """
    answer: Any = {}

    def ask() -> None:
        try:
            answer.update(client.get_versions(packages=["tfkey"]))
            answer["has"] = client.run(eval, _HAS_TFKEY, on_error="return")
        except Exception:
            # The connection was lost meanwhile, which the caller will find out.
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_VERSIONS_SECONDS)
    own = versions()
    for address, has in answer.get("has", {}).items():
        if has is False or isinstance(has, ModuleNotFoundError):
            raise TfkeyError(f"worker {address} has no tfkey; install {in_words(own)} everywhere")
    found = [(f"worker {address}", item) for address, item in (answer.get("workers") or {}).items()]
    if isinstance(answer.get("scheduler"), dict):
        found.append(("the scheduler", answer["scheduler"]))
    for who, item in found:
        if not isinstance(item, dict):
            continue
        python = ".".join(str(item["host"]["python"]).split(".")[:2])
        # None for a checkout that is not installed.
        theirs = (item["packages"].get("tfkey") or own[0], python)
        if theirs != own:
            raise other_versions(who, theirs)


def other_versions(who: str, theirs: Versions) -> TfkeyError:
    """Return the error for a part of the cluster that runs other versions."""
    return TfkeyError(
        f"{who} has {in_words(theirs)}, but this is {in_words(versions())}; install the same everywhere"
    )
