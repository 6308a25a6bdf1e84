"""A JSON schema of configuration files, for editors that check and complete YAML."""

from __future__ import annotations

from typing import Any

from tfkey.config import Config
from tfkey.config_layers import section_words
from tfkey.config_list import section_descriptions
from tfkey.models import MODEL_NAMES, settings_class
from tfkey.settings import ModelConfig

# The newest draft that the YAML support of common editors understands completely.
_DRAFT = "http://json-schema.org/draft-07/schema#"
_PLACE = "#/definitions/"


def config_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 7) of a file for :func:`tfkey.config.load_config`.

    It contains the domain of each setting, including those specific to a network. Rules that involve several
    settings, such as a crop longer than the interval, are checked only when a configuration is loaded.
    """
    schema = Config.model_json_schema(ref_template=f"{_PLACE}{{model}}")
    definitions = schema.pop("$defs")
    properties = schema["properties"]
    for section, description in section_descriptions().items():
        name = getattr(Config.model_fields[section].annotation, "__name__", "")
        reference = {"$ref": f"{_PLACE}{name}"}
        words = section_words(section)
        # Keywords beside a reference are ignored.
        properties[section] = {"anyOf": [{"enum": words}, reference]} if words else reference
        definitions[name]["description"] = description
    datasets = properties["datasets"]
    word = {"type": "string"}
    properties["datasets"] = {
        "description": datasets.pop("description"),
        "default": datasets.pop("default"),
        "anyOf": [datasets, word],
    }
    definitions[ModelConfig.__name__] = _networks(section_descriptions()["model"])
    for name in MODEL_NAMES:
        definitions[f"model_{name}"] = _network(name)
    schema = {
        "$schema": _DRAFT,
        "title": "tfkey configuration",
        **_untitled({**schema, "definitions": definitions}),
    }
    schema["description"] = "Settings of tfkey. A setting that is left out has its default."
    return schema


def _networks(description: str) -> dict[str, Any]:
    """Describe a network by name, with only its own settings; without a name, the default network."""
    cases: dict[str, Any] = {"$ref": f"{_PLACE}model_{ModelConfig().name}"}
    for name in MODEL_NAMES:
        named = {"properties": {"name": {"const": name}}, "required": ["name"]}
        cases = {"if": named, "then": {"$ref": f"{_PLACE}model_{name}"}, "else": cases}
    return {
        "description": description,
        "type": "object",
        "properties": {
            "name": {"description": "the network", "default": ModelConfig().name, "enum": list(MODEL_NAMES)}
        },
        **cases,
    }


def _network(name: str) -> dict[str, Any]:
    section = settings_class(name).model_json_schema()
    return {
        "type": "object",
        "description": f"the network {name} and the settings specific to it",
        "properties": {"name": {"const": name}, **section["properties"]},
        "additionalProperties": False,
    }


def _untitled(value: Any) -> Any:
    """Remove the titles that pydantic derives from the names of settings."""
    if isinstance(value, list):
        return [_untitled(item) for item in value]
    if not isinstance(value, dict):
        return value
    # A dict under "title" in "properties" would be a setting, not a title.
    return {
        key: _untitled(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))
    }
