"""``tfkey config``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.common import config_options, resolve_config

if TYPE_CHECKING:
    from tfkey.config import Config
    from tfkey.config_list import Value

_WIDTH = 100
_INDENT = " " * 6


@click.command("config")
@click.argument("names", metavar="[RUN] [SETTING|SECTION|NETWORK]...", nargs=-1)
@click.option("--changed", is_flag=True, help="Show only settings that differ from their defaults.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print YAML that --config accepts.")
@click.option("--schema", is_flag=True, help="Print a JSON schema with which editors check configurations.")
@config_options
def command(
    names: tuple[str, ...],
    changed: bool,
    as_yaml: bool,
    schema: bool,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Show settings: their values, what is allowed, and what they mean.

    Without names, shows every setting. A name may be one setting (train.batch_size), a section (train), or
    a network (octave, for the settings specific to it). The values are the defaults as changed by --config
    and -o. If you give the folder of a run, the values are those of the run (write ./octave for a folder
    called octave). A * marks a value that differs from its default.
    """
    if schema:
        if names or changed or as_yaml or config_name or overrides or data_dir or runs_dir:
            raise click.UsageError(
                "--schema describes every configuration; do not combine it with anything else"
            )
        from tfkey.config_schema import config_schema

        click.echo(json.dumps(config_schema(), indent=1, ensure_ascii=False))
        return
    from tfkey.config_list import as_document, values_of

    folders = [name for name in names if _is_folder(name)]
    if len(folders) > 1:
        raise click.UsageError(f"{' and '.join(folders)}: give only one run")
    if folders and (config_name or overrides or data_dir or runs_dir):
        raise click.UsageError(
            f"{folders[0]}: a run has its own settings; omit --config, -o, --data-dir and --runs-dir"
        )
    config = (
        _of_run(folders[0])
        if folders
        else resolve_config(config_name, overrides, data_dir=data_dir, runs_dir=runs_dir)
    )
    values = values_of(config, [name for name in names if name not in folders])
    if len(folders) == len(names) and (folders or as_yaml):
        values = [item for item in values if item.setting.network in (None, config.model.name)]
    if changed:
        values = [item for item in values if item.is_changed]
    if as_yaml:
        click.echo(as_document(values), nl=False)
    else:
        click.echo("\n".join(_lines(values)))


def _is_folder(name: str) -> bool:
    """Whether a name is a folder and not a setting."""
    from tfkey.config_list import known_names

    return name not in known_names() and ("/" in name or Path(name).is_dir())


def _of_run(folder: str) -> Config:
    from tfkey.runs import open_run

    return open_run(Path(folder)).config


def _lines(values: Sequence[Value]) -> Iterator[str]:
    """List the settings by section, each with its value, domain and meaning."""
    from tfkey.config_list import in_yaml, section_descriptions

    meanings = section_descriptions()
    groups = groupby(values, key=lambda item: (item.setting.section, item.setting.network))
    for number, ((section, network), group) in enumerate(groups):
        if number:
            yield ""
        if network:
            yield f"settings specific to the network {network}:"
        elif section:
            yield f"{section}: {meanings[section]}"
        for item in group:
            setting = item.setting
            default = f"; default {in_yaml(setting.default)}" if item.is_changed else ""
            mark = "*" if item.is_changed else " "
            yield f"{mark} {setting.name} = {in_yaml(item.value)}   ({setting.domain}{default})"
            yield from textwrap.wrap(
                setting.description,
                _WIDTH,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT,
                break_on_hyphens=False,
            )
