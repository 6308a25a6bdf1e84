"""The ``tfkey`` command: its group of subcommands, and how errors reach the user."""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
from typing import Any, NoReturn

import click

from scripts.remedies import message_of
from tfkey._version import __version__
from tfkey.errors import TfkeyError

_COMMANDS = {
    "datasets": "List the datasets of the catalogue, or show one.",
    "config": "Show every setting and its value, or what a run used.",
    "prepare": "Get a dataset and prepare it for training.",
    "pack": "Write an archive of spectrogram PNGs for others.",
    "train": "Train a network on prepared data.",
    "tune": "Search for the settings that train best.",
    "evaluate": "Judge a trained run on whole tracks.",
    "compare": "Compare two systems on the same tracks.",
    "export": "Write a trained run for use elsewhere.",
    "predict": "Name the key of audio files.",
}


class _LazyGroup(click.Group):
    """A group that imports the module of a subcommand only when that is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"scripts.{cmd_name}").command

    def invoke(self, ctx: click.Context) -> Any:
        try:
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
    """Train, judge and use deep networks that name the musical key of audio."""


def main() -> None:
    """Run the command line; every error that a user can mend is one line on stderr, without a traceback."""
    # TensorFlow's start-up chatter would bury the one line that matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # File names need not be text in any encoding; they are printed as they are.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape" if os.name == "posix" else "replace")
    try:
        code = cli.main(prog_name="tfkey", standalone_mode=False)
    except click.exceptions.Abort:
        _fail("stopped; the same command goes on where it was", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "tfkey", "pipelines", "scripts"):
            raise
        _fail(f"this needs {missing}, which is not installed: pip install 'tfkey[train]'", 1)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _fail(f"{name}{error.strerror or error}; check that it exists and that you may use it", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    click.echo("tfkey: " + " ".join(message.split("\n")), err=True)
    sys.exit(code)
