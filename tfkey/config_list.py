"""Every setting of a configuration with its domain, default, meaning and value."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tfkey.config import Config
from tfkey.errors import UsageError
from tfkey.models import MODEL_NAMES, settings_class
from tfkey.sections import close_to, is_section
from tfkey.settings import ModelConfig


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: the dotted name, as in overrides: ``train.batch_size``.
        network: the network that the setting is specific to; None if it applies to all networks.
        domain: the allowed values, in words.
        description: the meaning, with the unit.
        default: the default value, as in YAML.
    """

    name: str
    network: str | None
    domain: str
    description: str
    # Lists are not hashable.
    default: Any = field(hash=False)

    @property
    def section(self) -> str:
        """The section of the setting; empty at the top level."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Value:
    """A setting and the value that a configuration gives it."""

    setting: Setting
    value: Any

    @property
    def is_changed(self) -> bool:
        """Whether the value differs from the default."""
        return self.value != self.setting.default


@cache
def all_settings() -> tuple[Setting, ...]:
    """Return every setting, including those of all networks, in the order of the files."""
    return tuple(_settings())


def _settings() -> Iterator[Setting]:
    # Settings outside sections come first: otherwise they would seem to belong to the section above them.
    sections = []
    for name, info in Config.model_fields.items():
        if is_section(info.annotation):
            sections.append(name)
        else:
            yield _setting(name, info)
    for section in sections:
        annotation = Config.model_fields[section].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        for name, info in annotation.model_fields.items():
            yield _setting(f"{section}.{name}", info)
        if annotation is ModelConfig:
            for network in MODEL_NAMES:
                for name, info in settings_class(network).model_fields.items():
                    yield _setting(f"{section}.{name}", info, network)


def section_descriptions() -> dict[str, str]:
    """Return the description of each section."""
    return {
        name: str(info.description)
        for name, info in Config.model_fields.items()
        if is_section(info.annotation)
    }


def _setting(name: str, field: FieldInfo, network: str | None = None) -> Setting:
    default = field.get_default()
    return Setting(
        name=name,
        network=network,
        domain=f"one of {', '.join(MODEL_NAMES)}" if name == "model.name" else domain(field),
        description=field.description or "",
        default=str(default) if isinstance(default, Path) else default,
    )


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    list[str]: "text, or list of texts",
}


def domain(field: FieldInfo) -> str:
    """Return the allowed values of a field in words, such as ``integer >= 1`` or ``one of a, b``.

    Raises:
        KeyError: the type has no description.
    """
    kinds = [field.annotation]
    if get_origin(field.annotation) in (Union, types.UnionType):
        kinds = list(get_args(field.annotation))
    words = " or ".join(_words(kind) for kind in kinds if kind is not type(None))
    return words + _limits(field.metadata) + (", or null" if type(None) in kinds else "")


def _words(kind: Any) -> str:
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if get_origin(kind) is dict:
        return f"mapping of {_words(parts[0])} to {_words(parts[1])}"
    if get_origin(kind) is Annotated:
        return _words(parts[0]) + "".join(_limits(getattr(item, "metadata", [item])) for item in parts[1:])
    return _WORDS[kind]


def _limits(metadata: Sequence[Any]) -> str:
    bounds = [bound for item in metadata for bound in _bounds(item)]
    return f" {', '.join(bounds)}" if bounds else ""


def _bounds(item: Any) -> Iterator[str]:
    for kind, attribute, sign in (
        (annotated_types.Ge, "ge", ">="),
        (annotated_types.Gt, "gt", ">"),
        (annotated_types.Le, "le", "<="),
        (annotated_types.Lt, "lt", "<"),
    ):
        if isinstance(item, kind):
            yield f"{sign} {getattr(item, attribute)}"
    if isinstance(item, annotated_types.MinLen):
        yield f"(at least {item.min_length})"


def known_names() -> set[str]:
    """Return the names of all settings, sections and networks."""
    return {part for item in all_settings() for part in (item.name, item.section, item.network) if part}


def values_of(config: Config, names: Sequence[str] = ()) -> list[Value]:
    """Return the named settings with the values of a configuration.

    Args:
        config: the configuration.
        names: names of settings (``train.batch_size``), sections (``train``) and networks (``octave``); empty
            for all settings. Settings of networks that the configuration does not use have their defaults.

    Raises:
        UsageError: a name is unknown.
    """
    chosen = set() if names else set(all_settings())
    for name in names:
        found = _named(name, config.model.name)
        if not found:
            raise UsageError(
                f"{name!r} is not a setting, a section or a network{close_to(name, known_names())}"
            )
        chosen |= set(found)
    given = config.model_dump(mode="json")
    return [Value(setting, _value(setting, given)) for setting in all_settings() if setting in chosen]


def _named(name: str, network: str) -> list[Setting]:
    """Return the settings of a name. If several networks have it, the configured network's is preferred."""
    if name in MODEL_NAMES:
        return [setting for setting in all_settings() if setting.network == name]
    found = [setting for setting in all_settings() if name in (setting.name, setting.section)]
    own = [setting for setting in found if setting.network in (None, network)]
    return own or found


def _value(setting: Setting, given: dict[str, Any]) -> Any:
    if setting.network not in (None, given["model"]["name"]):
        return setting.default
    section, _, name = setting.name.rpartition(".")
    return (given[section] if section else given).get(name, setting.default)


def in_yaml(value: Any) -> str:
    """Return a value on one line, as in a file or an override."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def as_document(values: Sequence[Value]) -> str:
    """Return settings and their values as YAML for :func:`tfkey.config.load_config`.

    The settings of a network include its name.

    Raises:
        UsageError: the settings belong to several networks.
    """
    networks = sorted({item.setting.network for item in values if item.setting.network})
    if len(networks) > 1:
        raise UsageError(f"a configuration has one network, not {' and '.join(networks)}; name one of them")
    document: dict[str, Any] = {}
    for item in values:
        place = document
        if item.setting.section:
            place = place.setdefault(item.setting.section, {})
        if item.setting.network:
            place.setdefault("name", item.setting.network)
        place[item.setting.name.rpartition(".")[2]] = item.value
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
