"""The sections of a configuration: what every setting means, its unit, its domain and its default."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

DataMode = Literal["audio", "spectrograms", "images"]
MODES: tuple[str, ...] = get_args(DataMode)
SPLITS = ("train", "validation", "test")


class Section(BaseModel):
    """A group of settings: no unknown ones, no infinities, not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Python, and so pydantic, takes true for 1.
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"{str(value).lower()!r} is not allowed: it is a truth value")
        return value


class FeatureConfig(Section):
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
    extra_semitones: int = Field(
        0, ge=0, le=24, description="stored below and above the network's band, room for pitch shifts"
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

    seconds: float = Field(30.0, gt=0, description="length of an interval")
    step_seconds: float | None = Field(None, gt=0, description="start to start; empty: no overlap")
    remainder: Literal["drop", "pad", "overlap"] = Field(
        "drop",
        description="the rest at a track's end: drop it, pad it, or shift the last interval back",
    )

    def samples(self, sample_rate: int) -> int:
        """The length of an interval in samples."""
        return max(1, round(self.seconds * sample_rate))


class SplitConfig(Section):
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


class LossConfig(Section):
    """What the network is taught; see :mod:`tfkey.training.losses`."""

    name: Literal["cross_entropy", "mirex"] = Field(
        "cross_entropy", description="the true key alone, or part of the target to keys that MIREX credits"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all keys")


class AugmentConfig(Section):
    """How training spectrograms are varied (:mod:`tfkey.training.augmentation`). 0 or empty: not at all."""

    pitch_shift: int = Field(0, ge=0, description="semitones up or down, at most features.extra_semitones")
    crop_seconds: float | None = Field(None, gt=0, description="length of a random part of the interval")
    time_masks: int = Field(0, ge=0, description="stretches of time that are blanked")
    time_mask_seconds: float = Field(1.0, gt=0, description="the longest of them")
    frequency_masks: int = Field(0, ge=0, description="bands that are blanked")
    frequency_mask_semitones: float = Field(3.0, gt=0, description="the widest of them")
    equaliser_db: float = Field(0.0, ge=0, description="greatest boost or cut of a random smooth equaliser")
    gain_db: float = Field(0.0, ge=0, description="greatest change of level, up or down")
    noise_db: float = Field(0.0, ge=0, description="standard deviation of noise on every place, in dB")


class TrainConfig(Section):
    """How the network is fitted."""

    batch_size: int = Field(32, ge=1)
    epochs: int = Field(100, ge=1)
    learning_rate: float = Field(1e-3, gt=0, description="the highest; see schedule")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="cosine falls to 0 at the end")
    warmup_epochs: float = Field(0.0, ge=0, description="over which the learning rate rises from 0")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled, as in AdamW")
    clip_norm: float | None = Field(None, gt=0, description="greatest norm of all gradients together")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: every key counts the same, however rare"
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    xla: bool = Field(False, description="compile the training step by XLA")
    patience: int = Field(25, ge=1, description="epochs without a better validation score before it stops")
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
