"""The ``tfkey`` command: its group of subcommands, and how errors reach the user."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Any, NoReturn

import click

from scripts.quiet_import import silence_tensorflow
from scripts.remedies import message_of
from scripts.stopping import Stopped, catch_signals, if_stopped, leave
from scripts.streams import prepare_streams, printable
from tfkey._version import __version__
from tfkey.errors import TfkeyError
from tfkey.storage import redacted

_COMMANDS = {
    "datasets": "List the datasets of the catalogue, or show one.",
    "config": "Show every setting and its value, or what a run used.",
    "prepare": "Fetch a dataset and prepare it for training.",
    "pack": "Write an archive of spectrogram PNGs to publish.",
    "train": "Train a network on prepared data.",
    "tune": "Search for the settings that train best.",
    "evaluate": "Evaluate a trained run on whole tracks.",
    "compare": "Compare two systems on the same tracks.",
    "calibrate": "Fit the confidences of a network on recordings with known keys.",
    "export": "Write a trained run for use elsewhere.",
    "models": "List the networks that come with tfkey, or show one.",
    "predict": "Name the key of audio files.",
    "serve": "Serve a page to drop songs on, and an HTTP interface.",
    "view": "Show a song in the browser.",
}


class _LazyGroup(click.Group):
    """A group that imports a subcommand's module only when the subcommand or its help is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name != "train":
            # All else computes with TensorFlow, whatever trains.
            os.environ["KERAS_BACKEND"] = "tensorflow"
        return importlib.import_module(f"scripts.{cmd_name}").command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with if_stopped("no work was done yet; the same command starts over"):
                return super().invoke(ctx)
        except TfkeyError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            _fail(message_of(error, command or self), error.exit_code)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfkey")
def cli() -> None:
    """Train, evaluate and use deep networks that name the musical key of audio."""


def main() -> None:
    """Run the command line; an error that a user can fix is one line on stderr, without a traceback."""
    prepare_streams()
    catch_signals()
    # TensorFlow's start-up chatter would bury the one line that matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    silence_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        code = cli.main(prog_name="tfkey", standalone_mode=False)
    except Stopped as stopped:
        _fail(f"stopped; {stopped}", stopped.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("stopped; no work was done yet", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TfkeyError as error:
        # Raised outside a subcommand: the help text could not be written.
        _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "tfkey", "pipelines", "scripts"):
            raise
        _fail(f"{missing} is needed but not installed; run pip install 'tfkey[train]'", 1)
    except BrokenPipeError:
        # The reader of the results has closed the pipe.
        sys.exit(1)
    except OSError as error:
        name = error.filename
        name = os.fsdecode(name) if isinstance(name, str | bytes) else ""
        about = f"{name}: " if name else ""
        _fail(
            f"{about}{error.strerror or error}; check that it exists and that you have permission to use it",
            1,
        )
    except UnicodeEncodeError as error:
        letters = error.object[error.start : error.end]
        _fail(f"{letters!r} cannot be part of a file name in this locale; set LC_ALL=C.UTF-8", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    click.echo("tfkey: " + printable(redacted(" ".join(message.split("\n")))), err=True)
    leave(code)
