"""The folder of a search: what identifies the search, and whether a folder contains the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipelines.experiments.search_space import Search
from tfkey.config import Config, flat_settings
from tfkey.errors import UsageError
from tfkey.runs import FREE_SETTINGS


def search_document(config: Config, search: Search, algorithm: str) -> str:
    """Return what identifies a search, as YAML."""
    settings = {name: value for name, value in flat_settings(config).items() if name not in FREE_SETTINGS}
    search_values = search.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    search_values |= {"objective": search.objective, "trials": search.trials, "seed": search.seed}
    document = {"algorithm": algorithm, **search_values, "settings": settings}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def claim(folder: Path, config: Config, search: Search, algorithm: str) -> None:
    """Refuse a folder that contains anything other than this search."""
    path = folder / "search.yaml"
    if (folder / "config.yaml").exists():
        raise UsageError(f"{folder}: contains a training run; give the search another name", remedy="name")
    if not path.is_file():
        return
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
        before, now = dict(before), yaml.safe_load(search_document(config, search, algorithm))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(
            f"{path}: is damaged; give the search another name, or delete the folder", remedy="name"
        ) from error
    if before.get("trials", 0) > now["trials"]:
        raise UsageError(
            f"{folder}: contains a search with {before['trials']} trials (now {now['trials']}); "
            f"give at least {before['trials']}"
        )
    old, new = (_flat(document) for document in (before, now))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        details = ", ".join(f"{name}={old.get(name)} (now {new.get(name)})" for name in names)
        raise UsageError(
            f"{folder}: contains a search with {details}; give the search another name, or delete the folder",
            remedy="name",
        )


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return what must not change in a resumed search, under names that distinguish search and settings."""
    search = {name: value for name, value in document.items() if name not in ("space", "settings", "trials")}
    return {
        **{f"search.{name}": value for name, value in search.items()},
        **{f"space.{name}": entry for name, entry in document.get("space", {}).items()},
        **document.get("settings", {}),
    }
