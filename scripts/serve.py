"""``tfkey serve``."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from scripts.common import print_network
from scripts.serving import limit_options, load_server, model_option, served_model, settings_of
from scripts.stopping import if_stopped
from tfkey.serving.settings import ServerSettings, usual_workers

_DEFAULTS = ServerSettings()


@click.command("serve")
@click.option("--host", default=_DEFAULTS.host, show_default=True, help="Address or name to listen on.")
@click.option("--port", type=int, default=_DEFAULTS.port, show_default=True, help="Port; 0 for a free one.")
@click.option(
    "--token",
    envvar="TFKEY_TOKEN",
    help="Ask clients for this token. Also read from the environment variable TFKEY_TOKEN, which other users "
    "of the machine do not see. (default: none on the loopback address, else a random one, which is printed)",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Also answer requests for this host name, for example behind a proxy. Repeatable.",
)
@click.option("--workers", type=int, help="Number of processes (default: one per core, at most 4).")
@model_option
@limit_options(uploads=True)
@if_stopped("the server had not begun to answer")
def command(model: Path | None, workers: int | None, **options: Any) -> None:
    """Serve a page to drop songs on, and an HTTP interface for programs.

    \b
    /              the page
    /estimate      POST a file (multipart/form-data, part "file"): its key, as
                   tfkey predict --format json gives it. Query:
                   over_time=SECONDS, min_confidence=P, picture=1
    /v1/models/tfkey, /v1/models/tfkey/metadata, /v1/models/tfkey:predict
                   TensorFlow Serving's REST protocol: waveforms (at the
                   sample rate of the network) or spectrograms, as JSON
    /healthz       whether the server is ready
    /metrics       for Prometheus
    /openapi.json  a description of all of this

    The address is printed to stdout when the server takes requests. It is reachable from this machine only,
    unless you give another --host; then clients must send the token: Authorization: Bearer TOKEN.

    Uploads are kept in a private temporary folder, and deleted when they have been answered. Errors are JSON:
    {"error": "..."}. Ctrl-C or SIGTERM ends the server when it has answered the requests in progress; a
    second one ends it at once.
    """
    settings = settings_of(workers=usual_workers() if workers is None else workers, **options)
    server = load_server("serve")
    served = served_model(model)
    is_random = False
    if settings.token is None and not settings.is_loopback:
        from tfkey.serving.guards import new_token

        settings = settings.model_copy(update={"token": new_token()})
        is_random = True

    def ready(address: str, description: str) -> None:
        print_network(served, description)
        if is_random:
            click.echo(f"token: {settings.token}", err=True)
            click.echo(f"page with the token: {address}#token={settings.token}", err=True)
        if settings.is_wildcard:
            elsewhere = f"http://{socket.gethostname()}:{urlsplit(address).port}/"
            click.echo(f"from other machines: {elsewhere}, or this machine's IP address", err=True)
        click.echo(f"serving on {address}")

    server.serve(settings, served.open, ready)
    click.echo("stopped", err=True)
