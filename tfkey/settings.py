"""The sections of a configuration: what every setting means, its unit, its domain and its default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeGuard, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

DataMode = Literal["audio", "spectrograms", "images"]
MODES: tuple[str, ...] = get_args(DataMode)
SPLITS = ("train", "validation", "test")


class Section(BaseModel):
    """A group of settings: no unknown ones, no infinities, not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Python, and so pydantic, takes true for 1. Strict fields would refuse more than that: 2.0 for an
        # integer, and 1e-4, which is a text in YAML 1.1.
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"{str(value).lower()} is not allowed: it is a boolean")
        return value


def complaint(item: Any, section: type[BaseModel], prefix: Sequence[str] = ()) -> str:
    """One of pydantic's errors as one line that names the setting, its value and what is allowed.

    Args:
        item: of ``ValidationError.errors()``.
        section: what was validated.
        prefix: the sections around it, by name.
    """
    where = ".".join(str(part) for part in (*prefix, *item["loc"]))
    if item["type"] == "extra_forbidden":
        inner = _section_at(section, item["loc"][:-1])
        allowed = sorted(inner.model_fields) if inner else []
        hint = close_to(str(item["loc"][-1]), allowed)
        return f"{where}: no such setting{hint}; allowed: {', '.join(allowed)}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{where or 'configuration'}: {message}"
    return f"{where}: {item['input']!r} is not allowed: {message[:1].lower()}{message[1:]}"


def close_to(name: str, known: Iterable[str]) -> str:
    """A question for an error after an unknown name: whether the most similar known one is meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def is_section(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether a field of this type is a section of settings."""
    # On Python 3.10 list[str] passes for a type, and issubclass does not take it.
    return (
        get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel)
    )


def _section_at(section: type[BaseModel], location: Sequence[Any]) -> type[BaseModel] | None:
    for part in location:
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        if not is_section(annotation):
            return None
        section = annotation
    return section


class FeatureConfig(Section):
    """How sound becomes a picture: a constant-Q transform, then decibels mapped to [0, 1].

    The defaults give 5 octaves of quarter tones from C2 and 21.5 frames per second.
    """

    sample_rate: int = Field(44100, ge=8000, le=192000, description="in Hz; audio is resampled to it")
    hop_length: int = Field(2048, ge=1, description="samples between frames")
    fmin: float = Field(65.41, gt=0, description="centre of the lowest bin, in Hz")
    n_bins: int = Field(120, ge=1, description="bins of the band that the network sees")
    bins_per_octave: int = Field(24, ge=12, description="12: a bin is a semitone; 24: a quarter tone")
    filter_scale: float = Field(
        1.0,
        gt=0,
        description="factor on the lengths of the filters: below 1, frames are sharper and bins wider",
    )
    db_min: float = Field(-40.0, description="dB of the magnitude that becomes 0")
    db_max: float = Field(40.0, description="dB of the magnitude that becomes 1")
    extra_semitones: int = Field(
        0,
        ge=0,
        le=24,
        description="semitones stored below and above the network's band, room for pitch shifts",
    )

    @model_validator(mode="after")
    def _check(self) -> FeatureConfig:
        if self.extra_semitones and self.bins_per_octave % 12:
            raise ValueError(
                f"extra_semitones={self.extra_semitones} needs whole bins a semitone; "
                f"bins_per_octave={self.bins_per_octave} is no multiple of 12"
            )
        top = self.fmin * 2 ** ((self.n_bins + self.extra_bins - 1) / self.bins_per_octave)
        if top >= self.sample_rate / 2:
            raise ValueError(
                f"highest bin at {top:.0f} Hz is not below half of sample_rate "
                f"({self.sample_rate / 2:.0f} Hz); lower n_bins, fmin or extra_semitones"
            )
        if self.db_max <= self.db_min:
            raise ValueError(f"db_max ({self.db_max}) must be above db_min ({self.db_min})")
        return self

    @property
    def extra_bins(self) -> int:
        """Bins that are stored on either side of the network's band."""
        return self.extra_semitones * self.bins_per_octave // 12

    @property
    def stored_bins(self) -> int:
        """Bins of a spectrogram as it is computed and stored: the network's, and the extra ones."""
        return self.n_bins + 2 * self.extra_bins

    def frames(self, samples: int) -> int:
        """The number of frames of a clip of ``samples`` samples (frames are centred)."""
        return 1 + samples // self.hop_length


class IntervalConfig(Section):
    """How a track is cut into the fixed lengths that a network is trained on."""

    seconds: float = Field(30.0, gt=0, description="length of an interval, in seconds")
    step_seconds: float | None = Field(
        None, gt=0, description="seconds from the start of an interval to the next start; null: no overlap"
    )
    remainder: Literal["drop", "pad", "overlap"] = Field(
        "drop",
        description="the rest at a track's end: drop it, pad it, or shift the last interval back",
    )

    def samples(self, sample_rate: int) -> int:
        """The length of an interval in samples."""
        return max(1, round(self.seconds * sample_rate))


class SplitConfig(Section):
    """Shares of the tracks (never of the intervals) of a dataset that has no split of its own."""

    validation: float = Field(0.15, ge=0, lt=1, description="share of the tracks that is validated on")
    test: float = Field(0.15, ge=0, lt=1, description="share of the tracks that is tested on")
    seed: int = Field(0, ge=0, description="another seed draws another split")
    folds: int | None = Field(
        None, ge=2, description="parts for cross-validation, each tested on once; null: no cross-validation"
    )
    fold: int = Field(0, ge=0, description="the part to test on, counted from 0")

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

    name: str = Field("allconv", description="the network")

    @property
    def settings(self) -> dict[str, Any]:
        """The network's own settings, without its name."""
        return dict(self.model_extra or {})


class LossConfig(Section):
    """What the network is taught; see :mod:`tfkey.training.losses`."""

    name: Literal["cross_entropy", "mirex"] = Field(
        "cross_entropy",
        description="the target: the true key alone, or (mirex) partly the keys that MIREX credits, too",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all keys")


class AugmentConfig(Section):
    """How training spectrograms are varied (:mod:`tfkey.training.augmentation`). 0 or null: not at all."""

    pitch_shift: int = Field(
        0, ge=0, description="greatest shift up or down, in semitones; at most features.extra_semitones"
    )
    crop_seconds: float | None = Field(
        None,
        gt=0,
        description="length of a random part of the interval, in seconds; null: the whole interval",
    )
    time_masks: int = Field(0, ge=0, description="number of stretches of time that are blanked")
    time_mask_seconds: float = Field(1.0, gt=0, description="length of the longest of them, in seconds")
    frequency_masks: int = Field(0, ge=0, description="number of bands that are blanked")
    frequency_mask_semitones: float = Field(
        3.0, gt=0, description="width of the widest of them, in semitones"
    )
    equaliser_db: float = Field(
        0.0, ge=0, description="greatest boost or cut of a random smooth equaliser, in dB"
    )
    gain_db: float = Field(0.0, ge=0, description="greatest change of level up or down, in dB")
    noise_db: float = Field(0.0, ge=0, description="standard deviation of noise on every place, in dB")


class TrainConfig(Section):
    """How the network is fitted."""

    batch_size: int = Field(32, ge=1, description="intervals in a training step")
    epochs: int = Field(100, ge=1, description="most passes over the training data")
    learning_rate: float = Field(1e-3, gt=0, description="highest learning rate; see train.schedule")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="how the learning rate goes on after the warm-up: cosine falls to 0 at the end"
    )
    warmup_epochs: float = Field(0.0, ge=0, description="epochs over which the learning rate rises from 0")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled weight decay, as in AdamW")
    clip_norm: float | None = Field(
        None, gt=0, description="greatest norm of all gradients together; null: no clipping"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: in the loss, every key counts the same, however rare it is"
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="precision of the computations; weights are float32 in any case"
    )
    xla: bool = Field(
        False, description="compile the training step by XLA; not together with train.deterministic"
    )
    patience: int = Field(
        25, ge=1, description="epochs without a better validation score after which the training stops"
    )
    deterministic: bool = Field(True, description="the same seed on the same machine gives the same numbers")
    shuffle_buffer: int = Field(
        2048, ge=1, description="spectrograms shuffled at a time in spectrograms mode"
    )
    limit: float = Field(1.0, gt=0, le=1, description="share of the tracks of each split that is used")

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        if self.xla and self.deterministic:
            raise ValueError(
                "xla is not compiled with under deterministic; set train.deterministic=false, too"
            )
        return self
