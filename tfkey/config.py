"""Configuration: YAML files and overrides become one checked value (:mod:`tfkey.settings` has its parts).

A configuration is built in layers: ``configs/train.yaml`` (every default), then the caller's file, then
``section.setting=value`` overrides. Later layers take precedence. A section given as a word
(``features: cqt``) is read from the folder of that section (``configs/features/cqt.yaml``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_origin
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from tfkey.config_layers import config_root, expand, find_config, merge, named, parse_override, read_yaml
from tfkey.errors import ConfigError, UsageError
from tfkey.sections import Section, complaint
from tfkey.settings import (
    AugmentConfig,
    DataMode,
    FeatureConfig,
    IntervalConfig,
    LossConfig,
    ModelConfig,
    SplitConfig,
    TrainConfig,
)
from tfkey.storage import is_remote, located, redacted, shown


def _located(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    if not is_remote(value):
        return check(located(value) if isinstance(value, str) else value)
    if urlsplit(str(value)).password:
        raise ConfigError(
            f"{redacted(str(value))}: contains a password, which would be written into every run; "
            "leave it to the environment or to the configuration of the storage"
        )
    return located(value)


def _refuse_url(value: Any) -> Any:
    if is_remote(value):
        raise ValueError(f"{shown(value)} is a URL; give a folder on this machine")
    return value


Location = Annotated[Path, WrapValidator(_located), PlainSerializer(str, when_used="json")]
"""A folder on this machine, or a URL that :func:`tfkey.storage.located` opens; written as text."""

LocalPath = Annotated[Path, BeforeValidator(_refuse_url)]
"""A path on this machine; a URL would otherwise become a folder of that name."""


class Config(Section):
    """Everything that a run depends on."""

    seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        description="seed of all random numbers: initial weights, order, dropout, augmentation",
    )
    mode: DataMode = Field(
        "spectrograms",
        description="the form of the prepared data: audio, spectrograms, or images (PNGs of spectrograms)",
    )
    datasets: list[str] = Field(
        ["demo"], min_length=1, description="names of datasets in the catalogue, or of your own"
    )
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="weight in the loss of each interval of a dataset; 1 for datasets not listed"
    )
    subsets: dict[str, str] = Field(
        {}, description="the subset to use of a dataset; the default subset for datasets not listed"
    )
    voters: dict[str, dict[str, Annotated[float, Field(gt=0)]]] = Field(
        {},
        description="the weight of each voter in the soft labels of a dataset; all count equally for "
        "datasets not listed",
    )
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {},
        description="share of each dataset in every batch, relative to the others; all datasets must be "
        "listed. Without shares, datasets are mixed in proportion to their intervals",
    )
    major_shares: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(
        {},
        description="share of major keys in what a dataset contributes to every batch; unchanged for "
        "datasets that are not listed",
    )
    catalogue: Path | None = Field(
        None, description="folder of your own dataset descriptions, which replace tfkey's; null: tfkey's"
    )
    data_dir: Location = Field(
        Path("data"),
        description="folder of the originals and of prepared data; or the URL of a folder for prepared data",
    )
    runs_dir: LocalPath = Field(Path("runs"), description="folder of the runs")
    cache_dir: LocalPath | None = Field(
        None,
        description="folder of the originals and of copies of prepared data if data_dir is a URL; null: the "
        "user's cache folder",
    )
    cache_gb: float = Field(
        20.0,
        gt=0,
        description="greatest size in GB of the copies of prepared data in cache_dir; the least recently "
        "used ones are removed",
    )
    features: FeatureConfig = Field(
        default=FeatureConfig(),
        description="how audio becomes a spectrogram: a constant-Q transform, magnitudes mapped to [0, 1]",
    )
    intervals: IntervalConfig = Field(
        default=IntervalConfig(),
        description="how a track is cut into intervals of the fixed length that a network is trained on",
    )
    split: SplitConfig = Field(
        default=SplitConfig(),
        description="the split of a dataset without a predefined one; always by track, never by interval",
    )
    model: ModelConfig = Field(
        default=ModelConfig(), description="the network and the settings specific to it"
    )
    loss: LossConfig = Field(default=LossConfig(), description="the training target of the network")
    augment: AugmentConfig = Field(
        default=AugmentConfig(), description="how training data is varied; 0 or null: no variation"
    )
    train: TrainConfig = Field(default=TrainConfig(), description="how the network is trained")

    @field_validator("datasets", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Config:
        if self.augment.pitch_shift > self.features.extra_semitones:
            raise ValueError(
                f"augment.pitch_shift={self.augment.pitch_shift} exceeds features.extra_semitones="
                f"{self.features.extra_semitones}; raise extra_semitones and prepare again"
            )
        crop, seconds = self.augment.crop_seconds, self.intervals.seconds
        if crop is not None and crop > seconds:
            raise ValueError(f"augment.crop_seconds={crop:g} is longer than intervals.seconds={seconds:g}")
        for setting, names in (
            ("weights", self.weights),
            ("shares", self.shares),
            ("major_shares", self.major_shares),
        ):
            for name in names:
                if name not in self.datasets:
                    raise ValueError(f"{setting}: {name} is not among datasets ({', '.join(self.datasets)})")
        missing = [name for name in self.datasets if name not in self.shares]
        if self.shares and missing:
            raise ValueError(f"shares: {', '.join(missing)} is missing; give the share of every dataset")
        return self

    def to_yaml(self) -> str:
        """Return the configuration, with every setting resolved, as YAML for :func:`load_config`."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_config(
    source: str | Path | None = None, overrides: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Config:
    """Build a checked configuration.

    Args:
        source: a YAML file, or the name of one in ``configs/``; None for the defaults alone.
        overrides: texts ``section.setting=value``, the value in YAML (``train.batch_size=32``).
        options: settings with a dedicated option; they take precedence over everything else.

    Raises:
        ConfigError: a file is missing or is not YAML, a setting is unknown, or a value is out of its domain;
            the message names the setting and what is allowed.
    """
    values = expand(read_yaml(config_root() / "train.yaml"))
    origin = "configuration"
    if source is not None:
        path = find_config(source)
        origin = str(path)
        merge(values, expand(read_yaml(path)), _tables())
    for override in overrides:
        merge(values, expand(parse_override(override)), _tables())
    values.update(options or {})
    return validated(values, origin, overrides)


def load_resolved(path: Path) -> Config:
    """Read back what :meth:`Config.to_yaml` wrote, without the defaults of ``configs/train.yaml``."""
    return validated(read_yaml(path), str(path))


def changed(config: Config, settings: Mapping[str, Any], origin: str) -> Config:
    """Return a configuration with some settings changed, checked as by :func:`load_config`.

    Args:
        config: the source of all other settings.
        settings: values by dotted name (``train.learning_rate``), or a section by the word of its file
            (``model``). The name of another network is applied before that network's settings, and drops
            those of the old network.
        origin: the source of the changes, for errors.

    Raises:
        ConfigError: a setting is unknown, or a value is out of its domain.
    """
    values = config.model_dump(mode="json")
    for name in sorted(settings, key=lambda name: (name != "model.name", name.count("."))):
        nested: Any = settings[name]
        for part in reversed(name.split(".")):
            nested = {part: nested}
        merge(values, expand(nested), _tables())
    return validated(values, origin)


def flat_settings(config: Config) -> dict[str, Any]:
    """Return every setting of a configuration by its dotted name, as in YAML and overrides."""
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
    """Return a configuration from the values of all its settings.

    Args:
        values: the values by section and setting.
        origin: the source of the values, for errors.
        overrides: the texts ``section.setting=value`` applied to them; errors name the one at fault.

    Raises:
        ConfigError: a setting is unknown, or a value is out of its domain.
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
    # Convert numbers written as text, such as 1e-4 in YAML; do not add the network's defaults.
    settings = {name: getattr(checked, name) for name in config.model.settings}
    return config.model_copy(update={"model": ModelConfig(name=model, **settings)})


def _explain(item: Any, section: type[BaseModel], model: str, origin: str, overrides: Sequence[str]) -> str:
    """One of pydantic's errors as one line with who set the value; ``model`` if it is about a network."""
    prefix = ("model",) if model else ()
    text = complaint(item, section, prefix)
    where = ".".join(str(part) for part in (*prefix, *item["loc"]))
    guilty = [override for override in overrides if f"{where}.".startswith(f"{_overridden(override)}.")]
    who = named(guilty[-1]) if guilty else _set_by(text, origin, overrides)
    return f"{text} ({f'model {model}, ' * bool(model)}in {who})"


def _set_by(complaint: str, origin: str, overrides: Sequence[str]) -> str:
    """Return the source of the settings in a complaint: an override that it names, otherwise the origin."""
    words = set(re.findall(r"\w+", complaint))
    guilty = [text for text in overrides if words.issuperset(_overridden(text).split("."))]
    return named(guilty[-1]) if guilty else origin


def _overridden(text: str) -> str:
    return text.partition("=")[0].strip()


def _tables() -> set[str]:
    """The settings that hold values by the names of datasets."""
    return {name for name, field in Config.model_fields.items() if get_origin(field.annotation) is dict}
