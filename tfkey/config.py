"""Configuration: how YAML files and overrides become one checked value (:mod:`tfkey.settings` has its parts).

A configuration is built in layers: ``configs/train.yaml`` (every default), then the file given by
the caller, then ``section.setting=value`` overrides, later ones winning. A section given as a word
(``features: cqt``) is read from the folder of that section (``configs/features/cqt.yaml``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from tfkey.errors import ConfigError, UsageError
from tfkey.settings import (
    AugmentConfig,
    DataMode,
    FeatureConfig,
    IntervalConfig,
    LossConfig,
    ModelConfig,
    Section,
    SplitConfig,
    TrainConfig,
    complaint,
)

_SECTION_FOLDERS = {"features": "features", "model": "models"}


class Config(Section):
    """Everything that a run depends on."""

    seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        description="seed of all random numbers: first weights, order, dropout, augmentation",
    )
    mode: DataMode = Field(
        "spectrograms",
        description="what is prepared and trained on: audio, spectrograms, or images (PNGs of spectrograms)",
    )
    datasets: list[str] = Field(
        ["demo"], min_length=1, description="datasets of the catalogue, or of one's own, by name"
    )
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="how much each interval of a dataset counts in the loss, where that is not 1"
    )
    subsets: dict[str, str] = Field(
        {}, description="the subset of a dataset, where it is not the default one"
    )
    catalogue: Path | None = Field(
        None, description="folder of one's own dataset descriptions, used in place of tfkey's; null: tfkey's"
    )
    data_dir: Path = Field(Path("data"), description="folder of the originals and of prepared data")
    runs_dir: Path = Field(Path("runs"), description="folder of the runs")
    features: FeatureConfig = Field(
        default=FeatureConfig(),
        description="how sound becomes a picture: a constant-Q transform, then decibels mapped to [0, 1]",
    )
    intervals: IntervalConfig = Field(
        default=IntervalConfig(),
        description="how a track is cut into the fixed lengths that a network is trained on",
    )
    split: SplitConfig = Field(
        default=SplitConfig(),
        description="the split of a dataset that has none of its own; always by track, never by interval",
    )
    model: ModelConfig = Field(default=ModelConfig(), description="the network and its own settings")
    loss: LossConfig = Field(default=LossConfig(), description="what the network is taught")
    augment: AugmentConfig = Field(
        default=AugmentConfig(), description="how training spectrograms are varied; 0 or null: not at all"
    )
    train: TrainConfig = Field(default=TrainConfig(), description="how the network is fitted")

    @field_validator("datasets", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Config:
        if self.augment.pitch_shift > self.features.extra_semitones:
            raise ValueError(
                f"augment.pitch_shift={self.augment.pitch_shift} is beyond "
                f"features.extra_semitones={self.features.extra_semitones}; raise that and prepare again"
            )
        crop, seconds = self.augment.crop_seconds, self.intervals.seconds
        if crop is not None and crop > seconds:
            raise ValueError(f"augment.crop_seconds={crop:g} is longer than intervals.seconds={seconds:g}")
        for name in self.weights:
            if name not in self.datasets:
                raise ValueError(f"weights: {name} is not among datasets ({', '.join(self.datasets)})")
        return self

    def to_yaml(self) -> str:
        """The configuration, every setting resolved, as YAML that :func:`load_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def config_root() -> Path:
    """The folder of the YAML files that come with tfkey.

    In a wheel they lie inside the package; in a checkout, beside it.
    """
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


def section_words(section: str) -> list[str]:
    """The words that may be given in place of a section: the names of its files; none for most sections."""
    folder = _SECTION_FOLDERS.get(section)
    return sorted(path.stem for path in (config_root() / folder).glob("*.yaml")) if folder else []


def load_config(
    source: str | Path | None = None, overrides: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Config:
    """Build a checked configuration.

    Args:
        source: a YAML file, or the name of one in ``configs/``; None for the defaults alone.
        overrides: texts ``section.setting=value``, the value in YAML (``train.batch_size=32``).
        options: settings that have an option of their own; they beat the others.

    Raises:
        ConfigError: a file that is missing or no YAML, an unknown setting, or a value out of its domain;
            the message names the setting and what is allowed.
    """
    values = _expand(_read_yaml(config_root() / "train.yaml"))
    origin = "configuration"
    if source is not None:
        path = _find(source)
        origin = str(path)
        _merge(values, _expand(_read_yaml(path)))
    for override in overrides:
        _merge(values, _expand(_parse_override(override)))
    values.update(options or {})
    return validated(values, origin, overrides)


def load_resolved(path: Path) -> Config:
    """Read back what :meth:`Config.to_yaml` wrote: every setting is in the file, no default is added."""
    return validated(_read_yaml(path), str(path))


def changed(config: Config, settings: Mapping[str, Any], origin: str) -> Config:
    """A configuration with some settings changed, checked as :func:`load_config` does it.

    Args:
        config: what the others are taken from.
        settings: values by dotted name (``train.learning_rate``), or a section by the word of its file
            (``model``); another network's name goes before its settings and drops those of the old one.
        origin: where they come from, for errors.

    Raises:
        ConfigError: an unknown setting, or a value out of its domain.
    """
    values = config.model_dump(mode="json")
    for name in sorted(settings, key=lambda name: (name != "model.name", name.count("."))):
        nested: Any = settings[name]
        for part in reversed(name.split(".")):
            nested = {part: nested}
        _merge(values, _expand(nested))
    return validated(values, origin)


def flat_settings(config: Config) -> dict[str, Any]:
    """Every setting of a configuration by its dotted name, as YAML and overrides know it."""
    return _flat(config.model_dump(mode="json"))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def validated(values: dict[str, Any], origin: str, overrides: Sequence[str] = ()) -> Config:
    """A configuration from the values of all its settings.

    Args:
        values: by section and setting.
        origin: where they come from, for errors.
        overrides: the texts ``section.setting=value`` among them, blamed for what they set.

    Raises:
        ConfigError: an unknown setting, or a value out of its domain.
    """
    from tfkey.models import check_features, settings_class

    section: type[BaseModel] = Config
    model = ""
    try:
        config = Config.model_validate(values)
        model = config.model.name
        section = settings_class(model)
        checked = section.model_validate(config.model.settings)
        check_features(model, config.features)
    except ValidationError as error:
        complaints = (_explain(item, section, model, origin, overrides) for item in error.errors())
        raise ConfigError("; ".join(complaints)) from error
    except UsageError as error:
        raise ConfigError(f"{error} (in {_set_by(str(error), origin, overrides)})") from error
    # Of numbers written as text, such as 1e-4 in YAML, the numbers; defaults are the network's own matter.
    settings = {name: getattr(checked, name) for name in config.model.settings}
    return config.model_copy(update={"model": ModelConfig(name=model, **settings)})


def _explain(item: Any, section: type[BaseModel], model: str, origin: str, overrides: Sequence[str]) -> str:
    """One of pydantic's errors as one line with who set the value; ``model`` if it is about a network."""
    prefix = ("model",) if model else ()
    text = complaint(item, section, prefix)
    where = ".".join(str(part) for part in (*prefix, *item["loc"]))
    guilty = [override for override in overrides if f"{where}.".startswith(f"{_overridden(override)}.")]
    who = _named(guilty[-1]) if guilty else _set_by(text, origin, overrides)
    return f"{text} ({f'model {model}, ' * bool(model)}in {who})"


def _set_by(complaint: str, origin: str, overrides: Sequence[str]) -> str:
    """Who set what a complaint about several settings speaks of: an override that it names, if any."""
    words = set(re.findall(r"\w+", complaint))
    guilty = [text for text in overrides if words.issuperset(_overridden(text).split("."))]
    return _named(guilty[-1]) if guilty else origin


def _named(override: str) -> str:
    """An override as errors speak of it."""
    return f"the override {override}"


def _overridden(text: str) -> str:
    return text.partition("=")[0].strip()


def _find(source: str | Path) -> Path:
    named = config_root() / f"{source}.yaml"
    if Path(source).is_file():
        return Path(source)
    if named.is_file():
        return named
    # The space that tfkey tune searches is no configuration.
    names = ", ".join(sorted(path.stem for path in config_root().glob("*.yaml") if path.stem != "tune"))
    raise ConfigError(
        f"configuration {source}: no such file; give a YAML file or one of: {names}", remedy="config"
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a readable YAML file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}: not YAML{line}; mend it or give another file") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds a {type(values).__name__}; it must be a mapping of settings")
    return values


def _parse_override(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"{_named(text)}: write it as section.setting=value, such as train.batch_size=32")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{_named(text)}: the value is not YAML; quote it") from error
    for part in reversed(name.strip().split(".")):
        parsed = {part: parsed}
    return parsed


def _expand(values: dict[str, Any]) -> dict[str, Any]:
    """Replace a section given as a word by the file of that name."""
    expanded = dict(values)
    for name, folder in _SECTION_FOLDERS.items():
        word = expanded.get(name)
        if isinstance(word, str):
            if word not in section_words(name):
                raise ConfigError(f"{name}: {word!r} is unknown; allowed: {', '.join(section_words(name))}")
            expanded[name] = _read_yaml(config_root() / folder / f"{word}.yaml")
    return expanded


def _merge(target: dict[str, Any], source: dict[str, Any]) -> None:
    for name, value in source.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            if name == "model" and value.get("name", target[name].get("name")) != target[name].get("name"):
                target[name] = {}  # another network has other settings
            _merge(target[name], value)
        else:
            target[name] = value
