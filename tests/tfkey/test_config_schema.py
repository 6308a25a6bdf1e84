from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tfkey.config import load_config
from tfkey.config_layers import config_root
from tfkey.config_schema import config_schema
from tfkey.errors import ConfigError

# What `tfkey tune --space` takes, and descriptions of datasets, are no configurations.
FILES = [*sorted(set(config_root().glob("*.yaml")) - {config_root() / "tune.yaml"})]
SECTIONS = [("model", path) for path in sorted((config_root() / "models").glob("*.yaml"))]
SECTIONS += [("features", path) for path in sorted((config_root() / "features").glob("*.yaml"))]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    jsonschema.Draft7Validator.check_schema(config_schema())
    return jsonschema.Draft7Validator(config_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_are_valid(validator: jsonschema.Draft7Validator, path) -> None:
    validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    validator.validate(yaml.safe_load(load_config(path).to_yaml()))


@pytest.mark.parametrize(("section", "path"), SECTIONS, ids=lambda item: getattr(item, "stem", item))
def test_shipped_sections_are_valid_as_a_mapping_and_as_a_word(validator, section: str, path) -> None:
    validator.validate({section: yaml.safe_load(path.read_text(encoding="utf-8"))})
    validator.validate({section: path.stem})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"datasets": "gs_mtg"},
        {"datasets": ["a", "b"], "weights": {"a": 0.5}, "subsets": {"a": "literature"}},
        {"model": {"maps": 3}},
        {"model": {"name": "allconv_rnn", "units": 3, "bidirectional": False}},
        {"intervals": {"step_seconds": None}, "catalogue": None},
        {"train": {"learning_rate": 1}, "catalogue": "mine"},
    ],
)
def test_what_loads_is_valid(validator: jsonschema.Draft7Validator, values: dict[str, Any], tmp_path) -> None:
    validator.validate(values)
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    load_config(file)


@pytest.mark.parametrize(
    "values",
    [
        {"sed": 0},
        {"title": "a setting of this name"},
        {"train": {"epohcs": 3}},
        {"train": {"epochs": 0}},
        {"train": {"epochs": True}},
        {"train": "fast"},
        {"mode": "video"},
        {"datasets": []},
        {"features": "mel"},
        {"features": {"bins": 3}},
        {"model": "resnet"},
        {"model": {"name": "resnet"}},
        {"model": {"map": 3}},
        {"model": {"units": 3}},
        {"model": {"name": "octave", "n_classes": 12}},
        {"model": {"name": "octave", "dropout": 1}},
        {"model": {"name": "allconv", "pooling": "max"}},
        {"model": {"name": "allconv_rnn", "bidirectional": 1}},
        {"train": {"clip_norm": 0}},
        {"weights": {"demo": 0}},
    ],
)
def test_what_does_not_load_is_refused(
    validator: jsonschema.Draft7Validator, values: dict[str, Any], tmp_path
) -> None:
    assert not validator.is_valid(values)
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError):
        load_config(file)


def test_every_setting_is_described(validator: jsonschema.Draft7Validator) -> None:
    schema = config_schema()
    for name, part in {"": schema, **schema["definitions"]}.items():
        for setting, field in part["properties"].items():
            if "$ref" not in field and "const" not in field and setting not in ("features", "model"):
                assert field.get("description"), f"{name}.{setting}"
            assert not isinstance(field.get("title"), str)


def test_the_shipped_schema_is_current_and_named_by_the_files_beside_it() -> None:
    text = (config_root() / "schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == config_schema(), "run `make schema`"
    for path in FILES:
        assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
