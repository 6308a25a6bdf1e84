"""``tfkey datasets``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal

from scripts.common import config_options, resolve_config
from scripts.stopping import STARTS_OVER, if_stopped
from scripts.streams import check_stdout
from tfkey.errors import UsageError

_INDENT = " " * 10
_BAR = 40


@click.command("datasets")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_options
@if_stopped(STARTS_OVER)
def command(
    name: str | None,
    as_json: bool,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """List the datasets, or show one (NAME) in full.

    Shows what each dataset is for, its size, its licence, and how much of it is on disk already. With a
    NAME, also shows addresses, checksums, what to cite, subsets, and how often each key occurs.
    """
    check_stdout()
    from pipelines.catalogue.specs import dataset_names, near_miss
    from pipelines.datasets_on_disk import describe, names_on_disk

    config = resolve_config(config_name, overrides, data_dir=data_dir, runs_dir=runs_dir)
    known = dataset_names(config.catalogue)
    names = known + [item for item in names_on_disk(config.data_dir) if item not in known]
    if name is not None and name not in names:
        raise UsageError(
            f"dataset {name!r} is unknown{near_miss(name, names)}; known datasets: {', '.join(names)}"
        )
    found = [
        describe(item, config.data_dir, config.catalogue, config.cache_dir)
        for item in ([name] if name else names)
    ]
    if as_json:
        click.echo(json.dumps(found[0] if name else found, indent=1, ensure_ascii=False))
    elif name:
        click.echo("\n".join(_in_full(found[0])))
    else:
        click.echo("\n".join(line for item in found for line in _in_short(item)))


def _in_short(item: dict[str, Any]) -> Iterator[str]:
    tracks = f"{item['tracks']:,} tracks" if item["tracks"] else "tracks as found"
    size = f"about {decimal(item['size'])}" if item["size"] else "size not stated"
    yield f"{item['name']:<9} {item['title']}: {item['role']}, {tracks}, {size}"
    yield from _wrap("licence", item["licence"])
    yield from _wrap("on disk", "; ".join(_on_disk(item)) or "nothing")


def _in_full(item: dict[str, Any]) -> Iterator[str]:
    yield from _in_short(item)
    yield from _wrap("cite", item["citation"])
    if item["same_tracks_as"]:
        yield from _wrap("note", f"holds the same recordings as {', '.join(item['same_tracks_as'])}")
    yield from _wrap("split", _split(item["split"]))
    for heading in ("audio", "labels", "images"):
        yield from _sources(heading, item[heading])
    for name, subset in item["subsets"].items():
        count = f"{subset['tracks']:,} tracks" if subset["tracks"] else "tracks as found"
        yield from _wrap(f"subset {name}", f"{count}; {subset['meaning']}")
    yield ""
    if not item["keys"]:
        yield "keys: not known until the labels are on disk"
        return
    yield f"keys of {item['keys_of']}: {sum(item['keys'].values()):,} tracks"
    most = max(item["keys"].values())
    for key, count in item["keys"].items():
        bar = "#" * (round(_BAR * count / most) or bool(count)) if most else ""
        yield f"  {key:<8} {count:>5} {bar}".rstrip()


def _split(policy: dict[str, Any]) -> str:
    if policy["test"] == 1:
        return "test only; never used for training"
    test, validation = (
        f"the configured share (split.{name})" if policy[name] is None else f"{policy[name]:.0%}"
        for name in ("test", "validation")
    )
    if policy["validation_groups"]:
        groups = ", ".join(policy["validation_groups"])
        return f"by package and repository; validation: {groups}; training: the rest"
    return f"by track; test: {test}, validation: {validation}, training: the rest"


def _sources(heading: str, part: dict[str, Any] | None) -> Iterator[str]:
    """List the addresses of one part of a dataset, mirrors in order."""
    if part is None:
        return
    kind = part.get("kind")
    if kind == "folders":
        yield from _wrap(heading, "the names of the folders that hold the audio")
    elif kind == "list":
        yield from _wrap(heading, f"{Path(part['path']).name}, bundled with tfkey")
    elif kind == "votes":
        voters = ", ".join(f"{voter} (weight {weight:g})" for voter, weight in part["weights"].items())
        yield from _wrap(heading, f"votes of {voters}, in {Path(part['path']).name}, bundled with tfkey")
    elif kind == "recordings":
        yield from _wrap(heading, f"md5 of each file in the list{_about(part)}")
        yield from _wrap("packages of Debian", ", ".join(part["packages"]))
        yield from _wrap("git repositories", part["repositories"])
    elif kind == "archives":
        for name, archive in part["archives"].items():
            yield from _sources(f"{heading} {name}", archive)
    elif kind == "archive":
        yield from _sources(heading, part["archive"])
    else:
        checksum = part.get("checksum") or (
            "md5 of each file in the list" if kind == "files" else "none stated"
        )
        splits = f", splits {' and '.join(part['splits'])}" if part.get("splits") else ""
        yield f"{_INDENT}{heading}: checksum {checksum}{_about(part)}{splits}"
        for number, url in enumerate(part["urls"], 1):
            yield f"{_INDENT}  {number}. {url}"


def _about(part: dict[str, Any]) -> str:
    return f", about {decimal(part['size'])}" if part.get("size") else ""


def _on_disk(item: dict[str, Any]) -> Iterator[str]:
    disk = item["on_disk"]
    if disk["files"]:
        files = f"{disk['files']:,} file{'s' * (disk['files'] != 1)}"
        yield f"originals: {files}, {decimal(disk['size'])}"
    if disk["partial"]:
        yield f"partial downloads: {disk['partial']:,}, {decimal(disk['partial_size'])}"
    for mode, prepared in disk["prepared"].items():
        if prepared["state"] == "ready":
            splits = ", ".join(
                f"{split} {count:,}" for split, count in prepared["intervals"].items() if count
            )
            yield f"{mode}: {sum(prepared['intervals'].values()):,} intervals ({splits})"
        else:
            yield f"{mode}: {prepared['state']}, run tfkey prepare --mode {mode} --dataset {item['name']}"


def _wrap(heading: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{heading}: {text}",
        100,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
