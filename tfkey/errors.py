"""The errors that a user is meant to read.

Each message is one line that names the file or setting at fault and the remedy, in words that suit any
caller: it names no command-line option. :attr:`TfkeyError.remedy` says the same in a form for programs, from
which the command line derives its option. The command line prints the message and exits with
:attr:`TfkeyError.exit_code`; library callers catch the class.
"""

from __future__ import annotations

from collections.abc import Mapping


class TfkeyError(Exception):
    """Work that could not be done (exit code 1).

    Args:
        args: the message.
        remedy: a name for what fixes the error: an argument of the caller (``"name"``) or work to do first
            (``"prepare"``); None if no name fits.
        details: the values for the remedy, by argument.
    """

    exit_code = 1

    def __init__(
        self, *args: object, remedy: str | None = None, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(*args)
        self.remedy = remedy
        self.details = dict(details or {})


class UsageError(TfkeyError):
    """An invalid setting, argument or combination of them (exit code 2)."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration that names an unknown setting, or gives a setting an invalid value."""


class AudioError(TfkeyError):
    """An audio file that cannot be read: missing, empty, truncated, or not audio."""


class TooLongError(AudioError):
    """A recording that is longer than the caller allows."""


class TagError(TfkeyError):
    """An audio file whose tags cannot be read, or cannot be written without damage to the file."""


class DataError(TfkeyError):
    """Data that is missing, damaged, or made with parameters other than those requested."""


class MissingExtraError(TfkeyError):
    """Work for which an optional package is not installed.

    Args:
        what: what needs the package, for the message.
        package: the package's usual name.
        install: the argument of ``pip install``.
    """

    def __init__(self, what: str, package: str, install: str) -> None:
        super().__init__(f"{what}: needs {package}, which is not installed; run pip install '{install}'")


class KeyParseError(TfkeyError, ValueError):
    """A string that does not name one of the 24 keys."""
