"""The sections of a configuration: meaning, unit, domain, default of every setting but the networks' own."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tfkey.sections import Section

DataMode = Literal["audio", "spectrograms", "images"]
MODES: tuple[str, ...] = get_args(DataMode)
SPLITS = ("train", "validation", "test")


class FeatureConfig(Section):
    """How audio becomes a spectrogram: a constant-Q transform, then magnitudes mapped to [0, 1].

    :mod:`tfkey.spectrogram.frontend` defines the mapping.

    The defaults give 5 octaves of quarter tones from C2 and 21.5 frames per second.
    """

    sample_rate: int = Field(44100, ge=8000, le=192000, description="in Hz; audio is resampled to it")
    hop_length: int = Field(2048, ge=1, description="samples between frames")
    fmin: float = Field(65.41, gt=0, description="centre of the lowest bin, in Hz")
    n_bins: int = Field(120, ge=1, description="number of bins in the band that the network sees")
    bins_per_octave: int = Field(24, ge=12, description="12: one bin per semitone; 24: one per quarter tone")
    filter_scale: float = Field(
        1.0,
        gt=0,
        description="factor on the filter lengths; below 1, time resolution rises and bins become wider",
    )
    floor: Literal["hard", "soft"] = Field(
        "hard",
        description="below db_min, values are 0 (hard), or approach 0 gradually (soft: the logarithm of 1 + "
        "the magnitude relative to db_min)",
    )
    db_min: float = Field(
        -40.0,
        description="magnitude, in dB, that maps to 0 (hard floor), or at which the floor begins (soft)",
    )
    db_max: float = Field(40.0, description="magnitude, in dB, that maps to 1")
    extra_semitones: int = Field(
        0,
        ge=0,
        le=24,
        description="semitones stored below and above the network's band, as room for pitch shifts",
    )

    @model_validator(mode="after")
    def _check(self) -> FeatureConfig:
        if self.extra_semitones and self.bins_per_octave % 12:
            raise ValueError(
                f"extra_semitones={self.extra_semitones} needs a whole number of bins per semitone; "
                f"bins_per_octave={self.bins_per_octave} is not a multiple of 12"
            )
        top = self.fmin * 2 ** ((self.n_bins + self.extra_bins - 1) / self.bins_per_octave)
        if top >= self.sample_rate / 2:
            raise ValueError(
                f"the highest bin, at {top:.0f} Hz, is not below half the sample_rate "
                f"({self.sample_rate / 2:.0f} Hz); lower n_bins, fmin or extra_semitones"
            )
        if self.db_max <= self.db_min:
            raise ValueError(f"db_max ({self.db_max}) must be above db_min ({self.db_min})")
        if self.floor == "soft" and max(abs(self.db_min), abs(self.db_max)) > 300:
            # Magnitudes relative to the floor would leave the range of float32.
            raise ValueError(
                f"a soft floor needs db_min ({self.db_min}) and db_max ({self.db_max}) from -300 to 300"
            )
        return self

    @property
    def extra_bins(self) -> int:
        """The number of bins stored on each side of the network's band."""
        return self.extra_semitones * self.bins_per_octave // 12

    @property
    def stored_bins(self) -> int:
        """The number of bins of a stored spectrogram: the network's bins and the extra ones."""
        return self.n_bins + 2 * self.extra_bins

    def frames(self, samples: int) -> int:
        """Return the number of frames of a clip of ``samples`` samples (frames are centred)."""
        return 1 + samples // self.hop_length


class IntervalConfig(Section):
    """How a track is cut into intervals of the fixed length that a network is trained on."""

    seconds: float = Field(30.0, gt=0, description="length of an interval, in seconds")
    step_seconds: float | None = Field(
        None, gt=0, description="seconds between the starts of two intervals; null: no overlap"
    )
    remainder: Literal["drop", "pad", "overlap"] = Field(
        "drop",
        description="what to do with the rest at the end of a track: drop it, pad it, or shift the last "
        "interval back so that it overlaps",
    )

    def samples(self, sample_rate: int) -> int:
        """Return the length of an interval in samples."""
        return max(1, round(self.seconds * sample_rate))


class SplitConfig(Section):
    """Shares of the tracks (never of the intervals) of a dataset without a predefined split."""

    validation: float = Field(0.15, ge=0, lt=1, description="share of the tracks for validation")
    test: float = Field(0.15, ge=0, lt=1, description="share of the tracks for testing")
    seed: int = Field(0, ge=0, description="seed of the random split")
    folds: int | None = Field(
        None, ge=2, description="number of folds for cross-validation; null: no cross-validation"
    )
    fold: int = Field(0, ge=0, description="the fold to test on, counted from 0")

    @model_validator(mode="after")
    def _check(self) -> SplitConfig:
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold ({self.fold}) counts from 0 and must be below folds ({self.folds})")
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on; they must add up to less than 1")
        return self


class ModelConfig(BaseModel):
    """A network by name; all other settings are specific to the network, which checks them."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    name: str = Field("allconv", description="the network")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings specific to the network, without its name."""
        return dict(self.model_extra or {})


class LossConfig(Section):
    """The training target of the network; see :mod:`tfkey.training.losses`."""

    name: Literal["cross_entropy", "mirex"] = Field(
        "cross_entropy",
        description="the target: only the true key, or (mirex) partly also the keys that MIREX credits",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target that is spread over all keys"
    )


class AugmentConfig(Section):
    """How training data is varied, by amounts drawn for each clip. 0 or null: no variation.

    :mod:`tfkey.training.augmentation` and :mod:`tfkey.training.roughening` vary spectrograms,
    :mod:`tfkey.training.clipping` waveforms.
    """

    pitch_shift: int = Field(
        0, ge=0, description="largest shift up or down, in semitones; at most features.extra_semitones"
    )
    crop_seconds: float | None = Field(
        None,
        gt=0,
        description="length of a random excerpt of the interval, in seconds; null: the whole interval",
    )
    time_masks: int = Field(0, ge=0, description="number of time spans that are blanked")
    time_mask_seconds: float = Field(1.0, gt=0, description="maximum length of a time mask, in seconds")
    frequency_masks: int = Field(0, ge=0, description="number of frequency bands that are blanked")
    frequency_mask_semitones: float = Field(
        3.0, gt=0, description="maximum width of a frequency mask, in semitones"
    )
    equaliser_db: float = Field(
        0.0, ge=0, description="maximum boost or cut of a random smooth equaliser, in dB"
    )
    gain_db: float = Field(0.0, ge=0, description="maximum change of level up or down, in dB")
    noise_db: float = Field(0.0, ge=0, description="standard deviation of the noise on every value, in dB")
    detune_cents: float = Field(
        0.0,
        ge=0,
        le=50,
        description="largest detuning up or down, in cents; uses the features.extra_semitones, if any",
    )
    reverb_seconds: float = Field(
        0.0, ge=0, le=30, description="longest decay of reverberation by 60 dB, in seconds"
    )
    noise_floor_db: float | None = Field(
        None,
        lt=0,
        description="level of the loudest noise floor, in dB relative to the mean power of the clip; the "
        "quietest is 40 dB below; null: no noise floor",
    )
    band_limits: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the clips whose low and high frequencies are cut off, as by telephones, radios "
        "and codecs",
    )
    clipping_db: float = Field(
        0.0,
        ge=0,
        le=60,
        description="greatest drive of a waveform into hard or soft clipping, in dB; in audio mode only",
    )

    @property
    def needs_stored_bins(self) -> bool:
        """Whether spectrograms are needed with their extra semitones, not only the network's band."""
        return self.pitch_shift > 0 or self.detune_cents > 0


class TrainConfig(Section):
    """How the network is trained."""

    batch_size: int = Field(32, ge=1, description="intervals per training step")
    epochs: int = Field(100, ge=1, description="maximum number of passes over the training data")
    learning_rate: float = Field(1e-3, gt=0, description="highest learning rate; see train.schedule")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="the learning rate after the warm-up: cosine falls to 0 at the end"
    )
    warmup_epochs: float = Field(
        0.0, ge=0, description="number of epochs in which the learning rate rises from 0"
    )
    weight_decay: float = Field(1e-4, ge=0, description="decoupled weight decay, as in AdamW")
    clip_norm: float | None = Field(
        None, gt=0, description="maximum global norm of the gradients; null: no clipping"
    )
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="momentum of an exponential average of the weights over the steps; the average is "
        "validated and kept; 0: no average",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: every key counts equally in the loss, however rare it is"
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="precision of the computations; weights are always float32"
    )
    xla: bool = Field(
        False, description="compile the training step with XLA; cannot be combined with train.deterministic"
    )
    patience: int = Field(
        25, ge=1, description="stop training after this many epochs without a better validation score"
    )
    deterministic: bool = Field(True, description="the same seed gives the same numbers on the same machine")
    shuffle_buffer: int = Field(
        2048, ge=1, description="size of the shuffle buffer of spectrograms mode, in spectrograms"
    )
    limit: float = Field(1.0, gt=0, le=1, description="share of the tracks of each split that is used")

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        if self.xla and self.deterministic:
            raise ValueError("xla does not work with train.deterministic; set train.deterministic=false, too")
        return self
