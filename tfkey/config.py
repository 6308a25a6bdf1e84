"""Configuration: what every setting means, and how YAML files and overrides become one checked value.

A configuration is built in layers: ``configs/train.yaml`` (every default), then the file given by
``--config``, then ``section.setting=value`` overrides, later ones winning. A section given as a word
(``features: cqt``) is read from the folder of that section (``configs/features/cqt.yaml``).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tfkey.errors import ConfigError, UsageError

Mode = Literal["audio", "spectrograms", "images"]
MODES: tuple[str, ...] = get_args(Mode)
SPLITS = ("train", "validation", "test")

_SECTION_FOLDERS = {"features": "features", "model": "models"}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Python, and so pydantic, takes true for 1.
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"{str(value).lower()!r} is not allowed: it is a truth value")
        return value


class FeatureConfig(_Section):
    """How sound becomes a picture: a constant-Q transform, then decibels mapped to [0, 1].

    The defaults give 5 octaves of quarter tones from C2 and 21.5 frames per second.
    """

    sample_rate: int = Field(44100, ge=8000, le=192000, description="Hz")
    hop_length: int = Field(2048, ge=1, description="samples between frames")
    fmin: float = Field(65.41, gt=0, description="Hz, centre of the lowest bin")
    n_bins: int = Field(120, ge=1)
    bins_per_octave: int = Field(24, ge=12)
    filter_scale: float = Field(1.0, gt=0, description="factor on the filter lengths")
    db_min: float = Field(-40.0, description="dB of the magnitude that becomes 0")
    db_max: float = Field(40.0, description="dB of the magnitude that becomes 1")

    @model_validator(mode="after")
    def _check(self) -> FeatureConfig:
        top = self.fmin * 2 ** ((self.n_bins - 1) / self.bins_per_octave)
        if top >= self.sample_rate / 2:
            raise ValueError(
                f"highest bin at {top:.0f} Hz is not below half of sample_rate "
                f"({self.sample_rate / 2:.0f} Hz); lower n_bins or fmin"
            )
        if self.db_max <= self.db_min:
            raise ValueError(f"db_max ({self.db_max}) must be above db_min ({self.db_min})")
        return self

    def frames(self, samples: int) -> int:
        """The number of frames of a clip of ``samples`` samples (frames are centred)."""
        return 1 + samples // self.hop_length


class IntervalConfig(_Section):
    """How a track is cut into the fixed lengths that a network is trained on."""

    seconds: float = Field(30.0, gt=0, description="length of an interval")
    step_seconds: float | None = Field(None, gt=0, description="start to start; empty: no overlap")
    remainder: Literal["drop", "pad", "overlap"] = Field(
        "drop",
        description="the rest at a track's end: drop it, pad it, or shift the last interval back",
    )

    def samples(self, sample_rate: int) -> int:
        """The length of an interval in samples."""
        return max(1, round(self.seconds * sample_rate))


class SplitConfig(_Section):
    """Shares of the tracks (never of the intervals) of a dataset that has no split of its own."""

    validation: float = Field(0.15, ge=0, lt=1)
    test: float = Field(0.15, ge=0, lt=1)
    seed: int = Field(0, ge=0)
    folds: int | None = Field(None, ge=2, description="cross-validation: that many parts, each tested once")
    fold: int = Field(0, ge=0, description="the part to test on, from 0")

    @model_validator(mode="after")
    def _check(self) -> SplitConfig:
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold ({self.fold}) counts from 0 and must be below folds ({self.folds})")
        if self.validation + self.test >= 1:
            raise ValueError(
                "validation and test together leave nothing to train on; they must add up to less than 1"
            )
        return self


class ModelConfig(BaseModel):
    """A network by name; all other settings are the network's own and are checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    name: str = "allconv"

    @property
    def settings(self) -> dict[str, Any]:
        """The network's own settings, without its name."""
        return dict(self.model_extra or {})


class TrainConfig(_Section):
    """How the network is fitted."""

    batch_size: int = Field(32, ge=1)
    epochs: int = Field(100, ge=1)
    learning_rate: float = Field(1e-3, gt=0, description="at the start; falls to 0 by a cosine")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled, as in AdamW")
    patience: int = Field(25, ge=1, description="epochs without a better validation score before it stops")
    deterministic: bool = Field(True, description="the same seed on the same machine gives the same numbers")
    shuffle_buffer: int = Field(
        2048, ge=1, description="spectrograms shuffled at a time in spectrograms mode"
    )


class Config(_Section):
    """Everything that a run depends on."""

    seed: int = Field(0, ge=0)
    mode: Mode = "spectrograms"
    datasets: list[str] = Field(["demo"], min_length=1)
    subsets: dict[str, str] = Field({}, description="dataset to subset, where it is not the default one")
    catalogue: Path | None = Field(
        None, description="a folder of one's own dataset descriptions (other mirrors); empty: tfkey's own"
    )
    data_dir: Path = Path("data")
    runs_dir: Path = Path("runs")
    features: FeatureConfig = Field(default=FeatureConfig())
    intervals: IntervalConfig = Field(default=IntervalConfig())
    split: SplitConfig = Field(default=SplitConfig())
    model: ModelConfig = Field(default=ModelConfig())
    train: TrainConfig = Field(default=TrainConfig())

    def to_yaml(self) -> str:
        """The configuration, every setting resolved, as YAML that :func:`load_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def config_root() -> Path:
    """The folder of the YAML files that come with tfkey.

    In a wheel they lie inside the package; in a checkout, beside it.
    """
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


def load_config(source: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Build a checked configuration.

    Args:
        source: a YAML file, or the name of one in ``configs/``; None for the defaults alone.
        overrides: texts ``section.setting=value``, the value in YAML (``train.batch_size=32``).

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
    return _validate(values, origin)


def load_resolved(path: Path) -> Config:
    """Read back what :meth:`Config.to_yaml` wrote: every setting is in the file, no default is added."""
    return _validate(_read_yaml(path), str(path))


def _validate(values: dict[str, Any], origin: str) -> Config:
    from tfkey.models import model_settings

    try:
        config = Config.model_validate(values)
        model_settings(config.model.name, **config.model.settings)
        return config
    except ValidationError as error:
        raise ConfigError("; ".join(map(_explain, error.errors())) + f" (in {origin})") from error
    except UsageError as error:
        raise ConfigError(f"{error} (in {origin})") from error


def _explain(item: Any) -> str:
    """One pydantic error as one line that names the setting, its value and what it may be."""
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        section = _section_at(item["loc"][:-1])
        allowed = sorted(section.model_fields) if section else []
        close = difflib.get_close_matches(str(item["loc"][-1]), allowed, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        return f"{where}: no such setting{hint}; allowed: {', '.join(allowed)}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{where or 'configuration'}: {message}"
    return f"{where}: {item['input']!r} is not allowed: {message[:1].lower()}{message[1:]}"


def _section_at(location: Sequence[Any]) -> type[BaseModel] | None:
    section: type[BaseModel] = Config
    for part in location:
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        section = annotation
    return section


def _find(source: str | Path) -> Path:
    named = config_root() / f"{source}.yaml"
    if Path(source).is_file():
        return Path(source)
    if named.is_file():
        return named
    names = ", ".join(sorted(path.stem for path in config_root().glob("*.yaml")))
    raise ConfigError(f"--config {source}: no such file; give a YAML file or one of: {names}")


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
        raise ConfigError(f"-o {text}: write it as section.setting=value, such as -o train.batch_size=32")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"-o {text}: the value is not YAML; quote it") from error
    for part in reversed(name.strip().split(".")):
        parsed = {part: parsed}
    return parsed


def _expand(values: dict[str, Any]) -> dict[str, Any]:
    """Replace a section given as a word by the file of that name."""
    expanded = dict(values)
    for name, folder in _SECTION_FOLDERS.items():
        word = expanded.get(name)
        if isinstance(word, str):
            path = config_root() / folder / f"{word}.yaml"
            if not path.is_file():
                names = ", ".join(sorted(item.stem for item in (config_root() / folder).glob("*.yaml")))
                raise ConfigError(f"{name}: {word!r} is unknown; allowed: {names}")
            expanded[name] = _read_yaml(path)
    return expanded


def _merge(target: dict[str, Any], source: dict[str, Any]) -> None:
    for name, value in source.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            if name == "model" and value.get("name", target[name].get("name")) != target[name].get("name"):
                target[name] = {}  # another network has other settings
            _merge(target[name], value)
        else:
            target[name] = value
