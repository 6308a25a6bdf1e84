from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.main import cli
from tfkey.errors import DataError, KeyParseError, TfkeyError, UsageError

ROOT = Path(__file__).parents[2]
OPTION = re.compile(
    r"(?<![\w-])(?:--[a-z][\w-]*|-[a-zA-Z](?=[ =]))|"
    r"\btfkey (?:datasets|prepare|pack|train|tune|evaluate|compare|export|predict|models|calibrate|config)\b"
)


def literals(tree: ast.Module) -> Iterator[ast.Constant]:
    """The strings of a module that are no docstrings: those that are no statement of their own."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node


@pytest.mark.parametrize("package", ["tfkey", "pipelines"])
def test_no_text_of_the_library_names_an_option_of_the_command(package: str) -> None:
    """A caller from Python has no options; scripts/ says them. Options of git are others."""
    commands = [cli.get_command(None, name) for name in cli.list_commands(None)]
    options = {name for command in commands for parameter in command.params for name in parameter.opts}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in literals(ast.parse(path.read_text(encoding="utf-8")))
        for named in OPTION.findall(node.value)
        # The style sheet of the report has variables that look like options.
        if (named in options or named.startswith("tfkey ")) and ":root {" not in node.value
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_option"),
    [
        ("give another --name", True),
        ("(--name)", True),
        ("--name ", True),
        ("in -o ", True),
        ("run tfkey train first", True),
        ("a dash -- here", False),
        ("well-known", False),
        ("tfkey trains", False),
        ("A - G", False),
    ],
)
def test_what_an_option_looks_like(text: str, is_option: bool) -> None:
    assert bool(OPTION.search(text)) is is_option


@pytest.mark.parametrize("kind", [TfkeyError, UsageError, DataError, KeyParseError])
def test_remedy_goes_with_the_error_into_another_process(kind: type[TfkeyError]) -> None:
    plain = kind("lost")
    assert (str(plain), plain.remedy, plain.details) == ("lost", None, {})
    error = pickle.loads(pickle.dumps(kind("lost", remedy="train", details={"name": "first"})))
    assert (type(error), str(error)) == (kind, "lost")
    assert (error.remedy, error.details) == ("train", {"name": "first"})
