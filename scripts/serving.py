"""Shared by ``tfkey serve`` and ``tfkey view``: limits, the network, and the optional packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from tfkey.errors import MissingExtraError
from tfkey.sections import complaint
from tfkey.serving.settings import ServerSettings

if TYPE_CHECKING:
    from tfkey.inference.many_files import Model

_LIMITS = (
    ("max_seconds", click.FLOAT, "Longest recording, in seconds."),
    (
        "timeout_seconds",
        click.FLOAT,
        "Longest time in seconds that a request may wait for a process, and again that it may take there.",
    ),
    (
        "max_memory_mb",
        click.INT,
        "Maximum memory in MB (2**20 bytes) that a process takes for a request, on top of its network.",
    ),
)
_UPLOAD_LIMITS = (
    ("max_upload_mb", click.FLOAT, "Largest request, in MB (2**20 bytes)."),
    (
        "max_requests",
        click.INT,
        "Maximum number of requests in progress at once; further ones get status 503.",
    ),
    (
        "body_timeout_seconds",
        click.FLOAT,
        "Time without a byte, in seconds, after which an upload is given up.",
    ),
    ("upload_timeout_seconds", click.FLOAT, "Longest time of an upload, in seconds."),
    ("max_rows", click.INT, "Maximum number of rows in a request of :predict."),
    (
        "max_batch",
        click.INT,
        "Maximum number of requests of :predict that a process answers together; 1: no batches.",
    ),
    ("batch_wait_seconds", click.FLOAT, "Time in seconds that a request of :predict waits for others."),
    (
        "stop_seconds",
        click.FLOAT,
        "Time in seconds to finish requests in progress when the server is stopped.",
    ),
)

_NAMES = {"allowed_hosts": "allow-host"}
_COMPLAINTS = {
    # Its value is a secret.
    "token": "give 8 or more printable ASCII characters without spaces",
    "allowed_hosts": "give a host name or IP address, without http:// and without a path",
}

model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FOLDER|NAME",
    help="Use this export: a folder written by tfkey export, or the name of a network that comes with tfkey "
    "(tfkey models lists them). A folder of that name takes precedence.",
)


def limit_options(*, uploads: bool, **defaults: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options for limits, those on uploads too if they are asked for; with defaults of their own."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name, kind, text in reversed(_LIMITS + (_UPLOAD_LIMITS if uploads else ())):
            default = defaults.get(name, ServerSettings.model_fields[name].default)
            option = click.option(
                "--" + name.replace("_", "-"),
                name,
                type=kind,
                # Shown without a decimal point where it needs none.
                default=int(default) if float(default).is_integer() else default,
                show_default=True,
                help=text,
            )
            function = option(function)
        return function

    return add


def settings_of(**values: Any) -> ServerSettings:
    """Return the settings that options give.

    Raises:
        click.UsageError: a value is not allowed; names the option.
    """
    try:
        return ServerSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        text = _COMPLAINTS.get(name) or complaint(first, ServerSettings).removeprefix(f"{name}: ")
        raise click.UsageError(f"--{_NAMES.get(name, name.replace('_', '-'))}: {text}") from None


def served_model(place: Path | None) -> Model:
    """Return the network to serve: an export in a folder, or one that comes with tfkey."""
    from scripts.predict_request import exported_model
    from tfkey.inference.many_files import Model

    return Model() if place is None else exported_model(place)


def load_server(command: str) -> ModuleType:
    """Import the server.

    Raises:
        MissingExtraError: the packages that it needs are not installed.
    """
    try:
        import python_multipart  # noqa: F401

        from tfkey.serving import server
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "tfkey", "scripts"):
            raise
        # The module of python-multipart is python_multipart.
        raise MissingExtraError(command, package.replace("_", "-"), "tfkey[serve]") from error
    return server
