"""``tfkey view``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.common import print_network
from scripts.serving import limit_options, load_server, model_option, served_model, settings_of
from scripts.stopping import if_stopped
from tfkey.errors import AudioError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


@click.command("view")
@click.argument("song", type=click.Path(path_type=Path))
@click.option("--no-browser", is_flag=True, help="Print the address; do not open a browser.")
@click.option("--port", type=int, default=0, help="Port (default: a free one).")
@model_option
# The song is the user's own, however long it is.
@limit_options(uploads=False, max_seconds=86_400.0, timeout_seconds=600.0)
@if_stopped("the page had not been served yet")
def command(song: Path, no_browser: bool, model: Path | None, **options: Any) -> None:
    """Show a song in the browser: its key, its key over time, and what mixes with it.

    tfkey serves the page to this machine only, until you close the page or press Ctrl-C. The address is
    printed to stdout.
    """
    if not song.is_file():
        reason = (
            "a folder, not a file; give an audio file" if song.is_dir() else "no such file; check the path"
        )
        raise AudioError(f"{song}: {reason}")
    served = served_model(model)
    limit = max(1.0, song.stat().st_size / 2**20 + 1)
    server = load_server("view")
    from tfkey.serving.guards import new_token
    from tfkey.serving.viewing import Viewing

    # The song is for this user, not for all users of the machine.
    token, ticket = new_token(), new_token()
    settings = settings_of(workers=1, max_upload_mb=limit, token=token, **options)

    def ready(address: str, description: str) -> None:
        print_network(served, description)
        click.echo(f"{address}#view&token={token}")
        if not no_browser:
            # A browser in a terminal only returns when it is closed; the server has to answer it before.
            place = f"{address}#view&ticket={ticket}"
            threading.Thread(target=_open_browser, args=(place,), daemon=True).start()

    def routes(stop: Callable[[], None]) -> Sequence[BaseRoute]:
        return Viewing(song.absolute(), stop, token, ticket).routes()

    server.serve(settings, served.open, ready, routes)
    click.echo("closed", err=True)


def _open_browser(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        click.echo("no browser could be opened; open the address yourself", err=True)
