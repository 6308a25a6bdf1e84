"""``--cluster``: the options of commands that can work on a Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from tfkey.errors import UsageError

if TYPE_CHECKING:
    from tfkey.cluster.connection import Cluster

PATIENCE = 60.0


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--cluster`` and ``--cluster-timeout``."""
    for option in (
        click.option(
            "--cluster-timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="With --cluster: how long to wait for workers, and for a scheduler that was lost (default: "
            f"{PATIENCE:g}).",
        ),
        click.option(
            "--cluster",
            "cluster_address",
            metavar="ADDRESS",
            help="Work on the machines of a Dask cluster: HOST:PORT or tcp://HOST:PORT of its scheduler. All "
            "need the same tfkey and the same storage.",
        ),
    ):
        function = option(function)
    return function


def cluster_of(address: str | None, timeout: float | None) -> Cluster | None:
    """Return the cluster that the options name; None without ``--cluster``.

    Raises:
        click.UsageError: the address is malformed, or ``--cluster-timeout`` is alone.
    """
    if address is None:
        if timeout is not None:
            raise click.UsageError("--cluster-timeout: needs --cluster")
        return None
    from tfkey.cluster.connection import Cluster, check_address

    try:
        check_address(address)
    except UsageError as error:
        raise click.UsageError(f"--cluster {error}") from error
    return Cluster(address, PATIENCE if timeout is None else timeout)


def silence_dask() -> None:
    """Keep Dask's own reports of lost connections from stderr: the engine renews them, or says so."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        return
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "bokeh"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
