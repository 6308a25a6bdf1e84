from __future__ import annotations

from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from tfkey.config import load_config
from tfkey.config_list import all_settings, as_document, domain, in_yaml, section_descriptions, values_of
from tfkey.errors import UsageError
from tfkey.models import MODEL_NAMES


def test_every_setting_is_listed_once_with_a_description_and_a_domain() -> None:
    names = [(setting.name, setting.network) for setting in all_settings()]
    assert len(set(names)) == len(names)
    config = load_config().model_dump()
    expected = {
        name
        for name, value in config.items()
        if not isinstance(value, dict) or name in ("weights", "subsets")
    }
    for section, values in config.items():
        if section not in expected:
            expected |= {f"{section}.{name}" for name in values}
    assert {name for name, network in names if network in (None, "allconv")} >= expected
    assert {network for _, network in names} == {None, *MODEL_NAMES}
    assert [
        f"{item.name} of {item.network}" for item in all_settings() if not (item.description and item.domain)
    ] == []
    assert all(section_descriptions().values())


def test_defaults_are_those_of_the_shipped_file() -> None:
    assert [item.setting.name for item in values_of(load_config()) if item.is_changed] == []


class Kinds(BaseModel):
    a: int = Field(1, ge=1)
    b: float | None = Field(None, gt=0, le=2)
    c: Literal["x", "y"] = "x"
    d: bool = False
    e: float = Field(0.0, ge=0, lt=1)
    f: list[str] = Field(["a"], min_length=1)
    g: Annotated[int, Field(ge=3)] = 3
    h: str = ""
    i: dict[str, Annotated[float, Field(gt=0)]] = {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "integer >= 1"),
        ("b", "number > 0, <= 2, or null"),
        ("c", "one of x, y"),
        ("d", "true or false"),
        ("e", "number >= 0, < 1"),
        ("f", "text, or list of texts (at least 1)"),
        ("g", "integer >= 3"),
        ("h", "text"),
        ("i", "mapping of text to number > 0"),
    ],
)
def test_domains_in_words(name: str, expected: str) -> None:
    assert domain(Kinds.model_fields[name]) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train.batch_size"], {"train.batch_size": 16}),
        (["loss", "seed"], {"seed": 0, "loss.name": "cross_entropy", "loss.label_smoothing": 0.0}),
        # The network of the configuration, if it has the setting; else those that have it.
        (["model.maps"], {"model.maps": 16}),
        (["model.units"], {"model.units": 64}),
        (["model"], {"model.name": "octave", "model.maps": 16, "model.dropout": 0.2}),
        (["timepool"], {"model.maps": 32, "model.dropout": 0.2, "model.n_classes": 24}),
    ],
)
def test_named_settings_with_their_values(names: list[str], expected: dict) -> None:
    assert {item.setting.name: item.value for item in values_of(load_config("demo"), names)} == expected


def test_settings_that_a_file_leaves_out_have_their_defaults() -> None:
    config = load_config(None, ["model.name=allconv_rnn", "model.units=4"])
    values = {item.setting.name: item for item in values_of(config, ["model"])}
    assert (values["model.units"].value, values["model.units"].is_changed) == (4, True)
    assert (values["model.maps"].value, values["model.maps"].is_changed) == (16, False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train.epoch", r"'train.epoch' is not a setting, .*\(did you mean train.epochs\?\)"),
        ("octav", r"did you mean octave\?"),
        ("q", "'q' is not a setting, a section or a network$"),
    ],
)
def test_unknown_names(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        values_of(load_config(), [name])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (["a", "b"], "[a, b]"), (1e-5, "1.0e-05"), ("", "''"), ({}, "{}"), (True, "true")],
)
def test_values_as_overrides_take_them(value: object, text: str) -> None:
    assert in_yaml(value) == text
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    "overrides", [[], ["model=allconv_rnn", "model.maps=3"], ["weights.demo=0.5", "seed=3"]]
)
def test_document_reads_back(overrides: list[str], tmp_path) -> None:
    config = load_config("demo", overrides)
    changed = [item for item in values_of(config) if item.is_changed]
    file = tmp_path / "changed.yaml"
    file.write_text(as_document(changed), encoding="utf-8")
    again = load_config(file)
    assert values_of(again) == values_of(config)
    with pytest.raises(UsageError, match="one network, not allconv and octave"):
        as_document(values_of(config, ["allconv", "octave"]))
