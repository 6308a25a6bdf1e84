"""The layers of a configuration: YAML files and overrides as nested values, before they are checked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from tfkey.errors import ConfigError

_SECTION_FOLDERS = {"features": "features", "model": "models"}


def config_root() -> Path:
    """Return the folder of the YAML files bundled with tfkey.

    In a wheel, they are inside the package; in a checkout, beside it.
    """
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


def section_words(section: str) -> list[str]:
    """Return the words allowed in place of a section: the names of its files; empty for most sections."""
    folder = _SECTION_FOLDERS.get(section)
    return sorted(path.stem for path in (config_root() / folder).glob("*.yaml")) if folder else []


def named(override: str) -> str:
    """Return an override as errors name it."""
    return f"the override {override}"


def find_config(source: str | Path) -> Path:
    """Return the file that is meant: a YAML file, or the name of one in ``configs/``.

    Raises:
        ConfigError: there is no such file.
    """
    bundled = config_root() / f"{source}.yaml"
    if Path(source).is_file():
        return Path(source)
    if bundled.is_file():
        return bundled
    # The search space of tfkey tune is not a configuration.
    names = ", ".join(sorted(path.stem for path in config_root().glob("*.yaml") if path.stem != "tune"))
    raise ConfigError(
        f"configuration {source}: no such file; give a YAML file or one of: {names}", remedy="config"
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping of settings.

    Raises:
        ConfigError: the file is missing, is not YAML, or contains anything but a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a readable YAML file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}: is not YAML{line}; fix it or give another file") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: contains a {type(values).__name__}; it must be a mapping of settings")
    return values


def parse_override(text: str) -> dict[str, Any]:
    """Return ``section.setting=value`` as nested values.

    Raises:
        ConfigError: the text has another form, or the value is not YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"{named(text)}: write it as section.setting=value, such as train.batch_size=32")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{named(text)}: the value is not YAML; quote it") from error
    for part in reversed(name.strip().split(".")):
        parsed = {part: parsed}
    return parsed


def expand(values: dict[str, Any]) -> dict[str, Any]:
    """Replace each section given as a word with the content of the file of that name."""
    expanded = dict(values)
    for name, folder in _SECTION_FOLDERS.items():
        word = expanded.get(name)
        if isinstance(word, str):
            if word not in section_words(name):
                raise ConfigError(f"{name}: {word!r} is unknown; allowed: {', '.join(section_words(name))}")
            expanded[name] = read_yaml(config_root() / folder / f"{word}.yaml")
    return expanded


def merge(target: dict[str, Any], source: dict[str, Any], tables: Collection[str] = ()) -> None:
    """Put the values of a later layer into those of earlier ones.

    Args:
        target: the nested values to change.
        source: the later layer.
        tables: settings that hold values by the names of datasets; an empty one empties them.
    """
    for name, value in source.items():
        if value == {} and name in tables:
            # An empty section changes nothing, but an empty table, such as shares, is meant to be empty.
            target[name] = {}
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            if name == "model" and value.get("name", target[name].get("name")) != target[name].get("name"):
                target[name] = {}  # another network has other settings
            merge(target[name], value, tables)
        else:
            target[name] = value
