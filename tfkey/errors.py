"""The errors that a user is meant to read.

Each carries one line that names the file or setting at fault and what puts it right, in words that hold for
any caller: no option of a command is named. :attr:`TfkeyError.remedy` says the same to a program, so that the
command line can add its option. It prints that line and ends with :attr:`TfkeyError.exit_code`; library
callers catch the class.
"""

from __future__ import annotations

from collections.abc import Mapping


class TfkeyError(Exception):
    """Work that could not be done (exit code 1).

    Args:
        args: the message.
        remedy: what puts it right, if a program may know that under a name of its own: an argument of the
            caller (``"name"``) or work to do first (``"prepare"``).
        details: the values that the remedy takes, by argument.
    """

    exit_code = 1

    def __init__(
        self, *args: object, remedy: str | None = None, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(*args)
        self.remedy = remedy
        self.details = dict(details or {})


class UsageError(TfkeyError):
    """A setting, argument or combination of them that cannot be meant (exit code 2)."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration that names an unknown setting, or gives one a value it cannot take."""


class AudioError(TfkeyError):
    """An audio file that cannot be read: missing, empty, truncated, or not audio."""


class TagError(TfkeyError):
    """An audio file whose tags cannot be read, or cannot be written without harm to it."""


class DataError(TfkeyError):
    """Prepared data that is missing, damaged, or made with other parameters than asked for."""


class MissingExtraError(TfkeyError):
    """Work for which an optional package is not installed.

    Args:
        what: needs it, for the message.
        package: its name as people know it.
        install: what pip is to be told.
    """

    def __init__(self, what: str, package: str, install: str) -> None:
        super().__init__(f"{what}: needs {package}, which is not installed: pip install '{install}'")


class KeyParseError(TfkeyError, ValueError):
    """A string that names none of the 24 keys."""
