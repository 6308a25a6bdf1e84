"""What ``mkdocs build`` does beyond reading docs/: pages made of the code and of files outside docs/.

Links are written for readers of the repository. Those to files that are pages of the site are changed to lead
there; those to other files become the file's name, because the site does not contain it.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

from scripts.main import cli
from tfkey.config_list import all_settings, in_yaml, section_descriptions

ROOT = Path(__file__).parents[2]
# The tests are not installed.
sys.path.insert(0, str(ROOT))

from tests.figures import read_results, results_page  # noqa: E402

_COPIES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "tests/benchmarks/README.md": "results/benchmarks.md",
}
"""Files elsewhere in the repository that are pages of the site."""

_PYTHON = {
    "naming-keys": (
        "Naming keys",
        [
            "tfkey.inference.estimator", "tfkey.inference.estimate", "tfkey.inference.pretrained",
            "tfkey.inference.key_over_time", "tfkey.inference.many_files", "tfkey.inference.picture",
            "tfkey.inference.calibrating", "tfkey.inference.level", "tfkey.inference.tones",
        ],
    ),
    "keys-and-votes": (
        "Keys and votes", ["tfkey.keys", "tfkey.votes", "tfkey.key_tables", "tfkey.known_keys"],
    ),
    "audio-and-tags": (
        "Audio and tags",
        ["tfkey.audio.reading", "tfkey.audio.recordings", "tfkey.audio.finding", "tfkey.tags.key_tags"],
    ),
    "transform": (
        "The constant-Q transform",
        [
            "tfkey.spectrogram.cqt", "tfkey.spectrogram.frontend", "tfkey.spectrogram.filters",
            "tfkey.spectrogram.parameters", "tfkey.spectrogram.light", "tfkey.spectrogram.light_cqt",
        ],
    ),
    "networks-and-training": (
        "Networks and training",
        ["tfkey.models", "tfkey.models.allconv", "tfkey.models.allconv_rnn", "tfkey.models.cqt_allconv",
         "tfkey.models.inception", "tfkey.models.octave", "tfkey.models.timepool",
         "tfkey.training.fit", "tfkey.training.losses", "tfkey.training.soft_labels",
         "tfkey.training.metrics", "tfkey.training.augmentation", "tfkey.training.roughening",
         "tfkey.training.schedules", "tfkey.training.averaging", "tfkey.training.clipping",
         "tfkey.training.learning_rate"],
    ),
    "scores": (
        "Scores",
        ["tfkey.scoring.mirex", "tfkey.scoring.bootstrap", "tfkey.scoring.evaluation",
         "tfkey.scoring.calibration", "tfkey.scoring.debiased", "tfkey.scoring.confidence",
         "tfkey.scoring.comparison", "tfkey.scoring.charts", "tfkey.scoring.report"],
    ),
    "runs": (
        "Runs, settings, export",
        ["tfkey.runs", "tfkey.config", "tfkey.config_list", "tfkey.export.formats", "tfkey.inference.bundle"],
    ),
    "elsewhere": (
        "Storage and clusters",
        ["tfkey.storage.addresses", "tfkey.storage.transfer", "tfkey.cluster.connection",
         "tfkey.cluster.engine"],
    ),
    "errors": ("Errors", ["tfkey.errors"]),
}  # fmt: skip

_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_PICTURE = re.compile(
    r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">'
    r'\s*<img alt="([^"]+)" src="([^"]+)">\s*</picture>'
)
_ROLE = re.compile(r":[a-z]+:<code>~?([\w.]+)</code>")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make anchors of headings as code hosts do, so that links work in both places."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in _COPIES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for card in _cards():
        files.append(File.generated(config, _page_of(card) or "", abs_src_path=str(ROOT / card)))
    made = {
        "reference/commands.md": "\n".join(_commands()),
        "reference/settings.md": "\n".join(_settings()),
        "results/figures.md": _figures(),
        "results/all.md": results_page(read_results()),
    }
    for name, (title, modules) in _PYTHON.items():
        directives = "\n".join(f"::: {module}\n" for module in modules)
        made[f"reference/python/{name}.md"] = f"# {title}\n\n{directives}"
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of a page to pages of the site; searches list written pages before docstrings."""
    if page.file.src_uri.startswith("reference/python/"):
        page.meta["search"] = {"boost": 0.3}
    source = _source_of(page.file.src_uri)
    if source is None:
        return markdown
    parts = _FENCE.split(markdown)
    return "".join(
        part
        if part.startswith("```")
        else _LINK.sub(lambda link: _relinked(link, source, page, files), _PICTURE.sub(_by_scheme, part))
        for part in parts
    )


def _by_scheme(picture: re.Match[str]) -> str:
    """A picture in two schemes, as the theme wants it: there the reader chooses, not only the system."""
    dark, text, light = picture.groups()
    return f"![{text}]({light}#only-light)![{text}]({dark}#only-dark)"


def on_page_content(html: str, **_: Any) -> str:
    """Make links of the docstrings' roles, such as ``:func:`tfkey.audio.reading.read```."""

    def reference(role: re.Match[str]) -> str:
        name = role[1]
        code = f"<code>{name.rpartition('.')[2]}</code>"
        return (
            f'<autoref optional identifier="{name}">{code}</autoref>' if name.startswith("tfkey.") else code
        )

    return _ROLE.sub(reference, html)


def _cards() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tfkey/weights").glob("*/card.md"))]


def _page_of(source: str) -> str | None:
    """The page of the site that is made of a file of the repository; None if there is no such page."""
    if source in _COPIES:
        return _COPIES[source]
    if source == "README.md":
        return "results/figures.md"
    if card := re.fullmatch(r"tfkey/weights/([\w-]+)/card\.md", source):
        return f"cards/{card[1]}.md"
    return source.removeprefix("docs/") if source.startswith("docs/") and not source.endswith(".py") else None


def _module_of(source: str) -> tuple[str, str] | None:
    """The page and anchor of a Python module in the reference; None if it is not there."""
    module = source.removesuffix(".py").replace("/", ".")
    for name, (_, modules) in _PYTHON.items():
        if source.endswith(".py") and module in modules:
            return f"reference/python/{name}.md", module
    return None


def _source_of(page: str) -> str | None:
    """The file of the repository whose links a page has; None for pages made of code."""
    if page == "results/figures.md":
        return "README.md"
    for source in (*_COPIES, *_cards()):
        if _page_of(source) == page:
            return source
    return f"docs/{page}" if (ROOT / "docs" / page).exists() else None


def _relinked(link: re.Match[str], source: str, page: Page, files: Files) -> str:
    picture, text, address = link.groups()
    path, hash_mark, anchor = address.partition("#")
    if not path or ":" in path:
        return link[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if not (ROOT / target).exists():
        raise PluginError(f"{source} links to {path}, which does not exist")
    where = _page_of(target)
    if module := _module_of(target):
        where, hash_mark, anchor = module[0], "#", module[1]
    if where is None or files.get_file_from_path(where) is None:
        return text if f"{target}" in text else f"{text} (`{target}`)"
    relative = posixpath.relpath(where, posixpath.dirname(page.file.src_uri) or ".")
    return f"{picture}[{text}]({relative}{hash_mark}{anchor})"


def _figures() -> str:
    """The section *Figures* of README.md as a page."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Figures\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    if section is None:
        raise PluginError("README.md has no section Figures")
    return f"# Figures\n{section[1]}"


def _commands() -> Iterator[str]:
    """The command line, from the click commands themselves."""
    yield "# Command line\n"
    group = click.Context(cli, info_name="tfkey", **cli.context_settings)
    yield f"{cli.help}\n"
    yield "`tfkey --version` prints the version; `-h` or `--help` prints the help of any command.\n"
    for name in cli.list_commands(group):
        command = cli.get_command(group, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=group)
        yield f"## tfkey {name}\n"
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"```text\ntfkey {name} {usage}\n```\n"
        yield from _paragraphs(command.help or "")
        yield "| option | effect |\n|---|---|"
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
            if record:
                # The values are set off by a blank, unlike the option's other names, which follow a comma.
                names = re.split(r"(?<!,) ", record[0], maxsplit=1)
                yield f"| {'<br>'.join(map(_code, names))} | {_cell(record[1])} |"
        yield ""


def _paragraphs(text: str) -> Iterator[str]:
    """A command's help: paragraphs that click wraps as text, those that it leaves alone as blocks."""
    for paragraph in re.split(r"\n\s*\n", text.partition("\f")[0]):
        if paragraph.lstrip().startswith("\b"):
            lines = paragraph.lstrip().removeprefix("\b").strip("\n")
            yield f"```text\n{lines}\n```\n"
        else:
            words = " ".join(paragraph.split())
            yield _escaped(words) + "\n"


def _code(text: str) -> str:
    """Code in the cell of a table, where Markdown's own would end at a vertical bar."""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>"


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]])", r"\\\1", escape(text, quote=False))


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "&#124;")


def _settings() -> Iterator[str]:
    """Every setting, from the classes that check them."""
    yield "# Settings\n"
    yield (
        "Settings are given in YAML files (`--config FILE`) and as overrides (`-o train.batch_size=16`). "
        "`tfkey config` prints this list with the values of a configuration, and `tfkey config --schema` a "
        "JSON schema for editors.\n"
    )
    descriptions = section_descriptions()
    for (section, network), items in groupby(all_settings(), lambda item: (item.section, item.network)):
        if network:
            yield f"### The network {network}\n"
        elif section:
            description = _escaped(descriptions[section])
            yield f"## {section}\n\n{description[:1].upper()}{description[1:]}.\n"
        else:
            yield "## At the top level\n"
        yield "| setting | values | default | meaning |\n|---|---|---|---|"
        for item in items:
            default = _code(in_yaml(item.default))
            yield f"| `{item.name}` | {_cell(item.domain)} | {default} | {_cell(item.description)} |"
        yield ""
