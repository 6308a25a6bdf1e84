"""How a library error reads on the command line: the remedy, in terms of options and commands."""

from __future__ import annotations

from collections.abc import Collection

import click

from tfkey.errors import TfkeyError

_OPTIONS = {
    "algorithm": ("--algorithm",),
    "config": ("--config",),
    "dataset": ("--dataset",),
    "format": ("--format",),
    "host": ("--host",),
    "mode": ("--mode",),
    "name": ("--name",),
    "output": ("--output",),
    "parameters": ("--config", "-o", "--data-dir"),
    "port": ("--port",),
    "reference": ("--reference",),
    "replace": ("--config", "-o", "--data-dir", "--replace"),
    "source": ("--source",),
    "space": ("--space",),
}
"""Options by the remedy that an error names; if there are several, any of them helps."""

_COMMANDS = ("export", "prepare", "train")
"""Remedies that are commands; the details of the error become their options."""


def message_of(error: TfkeyError, command: click.Command) -> str:
    """Return the message of an error that a command raised, with the options that fix it.

    Args:
        error: the error.
        command: the command; only options that it has are named.
    """
    offered = {name for parameter in command.params for name in parameter.opts}
    hint = _hint(error, offered)
    return f"{error} ({hint})" if hint else str(error)


def blame_options(message: str, overrides: Collection[str]) -> str:
    """Return a message about a configuration, with its overrides named as they were typed."""
    for override in overrides:
        message = message.replace(f"the override {override}", f"-o {override}")
    return message


def _hint(error: TfkeyError, offered: Collection[str]) -> str:
    if error.remedy is None:
        return ""
    if error.remedy in _COMMANDS:
        options = "".join(f" --{name} {value}" for name, value in error.details.items())
        # Data must be prepared with the same settings as those that ask for it.
        same = error.remedy == "prepare" and "-o" in offered
        return f"run tfkey {error.remedy}{options}" + (
            " with the --config and -o of this command" if same else ""
        )
    names = [name for name in _OPTIONS[error.remedy] if name in offered]
    value = error.details.get(error.remedy)
    if not names:
        return ""
    return f"option{'s' * (len(names) > 1)} {', '.join(names)}" + (f" {value}" if value else "")
