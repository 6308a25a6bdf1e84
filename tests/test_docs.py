"""The handbook is true: links lead somewhere, commands parse, Python compiles and imports what exists."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from scripts.main import cli
from tfkey._version import __version__
from tfkey.config import load_config
from tfkey.errors import ConfigError

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")),
    ROOT / "tests" / "benchmarks" / "README.md",
]
# Pages of the site that docs/site/hooks.py makes of the code or of files outside docs/.
MADE = ("reference/", "results/", "cards/", "changelog.md", "contributing.md")

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_SHELL = {"", "shell"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def prose(path: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of the headings of a page, as code hosts make them."""
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in _HEADING.findall(prose(path)))
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain]
    return {slug for slug, count in Counter(slugs).items() if count == 1}


def blocks(languages: set[str]) -> Iterator[tuple[Path, str]]:
    for path in PAGES:
        for language, text in _FENCE.findall(path.read_text(encoding="utf-8")):
            if language in languages:
                yield path, text


def words(line: str) -> Iterator[list[str]]:
    """The simple commands of a line of shell."""
    command: list[str] = []
    for word in shlex.split(line.removeprefix("$ "), comments=True):
        # Targets of make are also listed side by side.
        if word in ("&&", "||", "|", ";") or (word == "make" and command):
            yield command
            command = [word] if word == "make" else []
        else:
            command.append(word)
    yield command


def shell_commands() -> Iterator[tuple[str, list[str]]]:
    """Every command in blocks and in running text, with the page it is on."""
    for path, text in blocks(_SHELL):
        for line in text.replace("\\\n", " ").splitlines():
            yield from ((name(path), command) for command in words(line) if command)
    for path in PAGES:
        for text in _INLINE.findall(prose(path)):
            if re.match(r"(tfkey|make|pip install|python -m tests)\b", text):
                # Where an option is only mentioned, a value is supplied.
                value = " X" if text.endswith(("--model", "--config", "--run")) else ""
                line = " ".join(text.split()) + value
                yield from ((name(path), command) for command in words(line) if command)


def commands_of(program: str) -> list[Any]:
    found = {
        (page, tuple(command))
        for page, command in shell_commands()
        # The ledger holds commands as they were given; the configurations that they change go on changing.
        if command[0].endswith(program) and not (page == "docs/experiments.md" and "-o" in command)
    }
    return [pytest.param(list(command), id=f"{page}: {' '.join(command)}") for page, command in sorted(found)]


def parse(arguments: list[str]) -> None:
    """Raise click's error if a command or an option does not exist, or a value of it is not allowed."""
    if not arguments or arguments[0].startswith("-"):
        cli.make_parser(click.Context(cli, **cli.context_settings)).parse_args(list(arguments))
        return
    command = cli.get_command(click.Context(cli), arguments[0])
    if command is None:
        raise click.UsageError(f"there is no tfkey {arguments[0]}")
    context = click.Context(command, info_name=arguments[0], help_option_names=["-h", "--help"])
    values, _, _ = command.make_parser(context).parse_args(arguments[1:])
    for parameter in command.params:
        value = values.get(parameter.name)
        # Names in capitals stand for something that the reader puts in. A path need not exist.
        if isinstance(value, str) and not value.isupper() and not isinstance(parameter.type, click.Path):
            parameter.type.convert(value, parameter, context)
    overrides = [text for text in values.get("overrides") or () if not text.rpartition("=")[2].isupper()]
    if overrides:
        load_config(values.get("config_name"), overrides)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    dead = []
    for address in _LINK.findall(prose(path)):
        target, _, anchor = address.partition("#")
        if ":" in target:
            continue
        file = (path.parent / target).resolve() if target else path
        exists = file.exists() and file.is_relative_to(ROOT) and not target.startswith("/")
        if not exists or (anchor and anchor not in anchors(file)):
            dead.append(address)
    assert not dead


def navigation(entry: Any = None) -> Iterator[str]:
    """The pages in the navigation of the site."""
    if entry is None:
        entry = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    if isinstance(entry, str):
        yield entry
    else:
        for item in entry.values() if isinstance(entry, dict) else entry:
            yield from navigation(item)


def test_the_navigation_has_every_page_once() -> None:
    written = [page for page in navigation() if not page.startswith(MADE)]
    assert sorted(written) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_words_of_the_search_have_no_wildcards() -> None:
    # One such word in the index, and no search for its first letter finds anything.
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    search = next(plugin["search"] for plugin in settings["plugins"] if "search" in plugin)
    assert re.split(search["separator"], "A*sqrt(L_k)+b train.batch_size 0.5") == [
        *("A", "sqrt", "L", "k", "b", "train", "batch", "size", "0.5"),
    ]


def test_the_navigation_has_every_model_card() -> None:
    cards = {f"cards/{path.parent.name}.md" for path in ROOT.glob("tfkey/weights/*/card.md")}
    assert {page for page in navigation() if page.startswith("cards/")} == cards


@pytest.mark.parametrize("command", commands_of("tfkey"))
def test_commands_of_tfkey_parse(command: list[str]) -> None:
    parse(command[1:])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["tag", "song.flac"], click.UsageError),
        (["predict", "song.flac", "--write-tag"], click.NoSuchOption),
        (["predict", "song.flac", "--notation", "roman"], click.BadParameter),
        (["predict", "song.flac", "--min-confidence", "high"], click.BadParameter),
        (["train", "-o", "train.batchsize=16"], ConfigError),
        (["--verbose"], click.NoSuchOption),
    ],
)
def test_commands_that_do_not_exist_are_found(arguments: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(arguments)


@pytest.mark.parametrize("command", commands_of("make"))
def test_targets_of_make_exist(command: list[str]) -> None:
    targets = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {word for word in command[1:] if "=" not in word} <= set(targets)


@pytest.mark.parametrize("command", commands_of("python"))
def test_modules_that_are_run_exist(command: list[str]) -> None:
    if command[1:2] == ["-m"] and command[2].startswith("tests."):
        place = ROOT.joinpath(*command[2].split("."))
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists()


@pytest.mark.parametrize("command", commands_of("pip"))
def test_extras_that_are_installed_exist(command: list[str]) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = ",".join(group for word in command for group in re.findall(r"(?:tfkey|\.|\.whl)\[(.*?)\]", word))
    assert {extra for extra in named.split(",") if extra} <= set(setup["options.extras_require"])


def defined(module: str) -> set[str] | None:
    """The names that a module defines or imports, without importing it; None if there is no such module."""
    place = ROOT.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.exists():
        return None
    names = {path.stem for path in place.glob("*")} if place.is_dir() else set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def missing(code: str) -> list[str]:
    """What a piece of Python imports of tfkey that does not exist."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "tfkey":
            names = defined(node.module)
            found += [f"{node.module}.{item.name}" for item in node.names if item.name not in (names or ())]
        elif isinstance(node, ast.Import):
            of_tfkey = [item.name for item in node.names if item.name.partition(".")[0] == "tfkey"]
            found += [module for module in of_tfkey if defined(module) is None]
    return found


@pytest.mark.parametrize(
    "code", [pytest.param(text, id=name(path)) for path, text in blocks({"python", "py"})]
)
def test_python_compiles_and_imports_what_exists(code: str) -> None:
    assert not missing(code)


def test_imports_of_what_does_not_exist_are_found() -> None:
    code = "import tfkey.keyes\nfrom tfkey import KeyEstimator, Nothing\nfrom tfkey.keys import Key, Chord"
    assert missing(code) == ["tfkey.keyes", "tfkey.Nothing", "tfkey.keys.Chord"]


def test_the_citation_names_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=name)
def test_templates_of_issues_have_what_code_hosts_ask_for(path: Path) -> None:
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert set(template) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(template)
    ids = [item["id"] for item in template["body"] if item["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    for item in template["body"]:
        assert item["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert item["attributes"].get("label") or item["type"] == "markdown"
