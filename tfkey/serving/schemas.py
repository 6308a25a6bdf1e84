"""The shapes of the server's answers, for its OpenAPI description."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = float


class Schema(BaseModel):
    """An object with exactly the fields of its class."""

    model_config = ConfigDict(extra="forbid")


class Error(Schema):
    """A request that was not answered."""

    error: str = Field(min_length=1, description="What is wrong and what helps, in one sentence.")


class Health(Schema):
    """The state of the server."""

    status: Literal["ok"]
    workers: int = Field(ge=1, description="Processes that are ready.")
    queued: int = Field(ge=0, description="Tasks that wait for a process.")


class Notations(Schema):
    """A key in the notations that people mix by."""

    long: str = Field(examples=["Ab minor"])
    short: str = Field(examples=["Abm"])
    camelot: str = Field(examples=["1A"])
    open_key: str = Field(examples=["6m"])


class RankedKey(Schema):
    """One of the 24 keys."""

    key: str
    confidence: float = Field(ge=0, le=1)
    notations: Notations


class MixingKey(Schema):
    """A key that shares all notes with that of the recording, or all but one."""

    key: str
    relation: Literal["same", "fifth up", "fifth down", "relative"]
    notations: Notations


class SegmentOfTime(Schema):
    """A part of the recording with one key, or without a key; times are in seconds."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    key: str | None
    confidence: float | None = Field(ge=0, le=1)


class WaveformPicture(Schema):
    """The lowest and highest sample of each column: int8 in base64, 127 is full scale."""

    low: str
    high: str


class SpectrogramPicture(Schema):
    """Loudness: uint8 in base64, column by column, the lowest bin first."""

    columns: int = Field(ge=1)
    bins: int = Field(ge=1)
    lowest_hz: float = Field(gt=0)
    bins_per_octave: int = Field(ge=1)
    values: str


class Picture(Schema):
    """What one draws of a recording."""

    seconds: float = Field(ge=0)
    columns: int = Field(ge=1)
    waveform: WaveformPicture
    spectrogram: SpectrogramPicture


class EstimateAnswer(Schema):
    """The key of a recording."""

    file: str = Field(description="The name of the file as it was uploaded.")
    key: str | None
    confidence: float | None = Field(ge=0, le=1)
    reason: str | None = Field(description="Why there is no key.")
    warning: str | None = Field(description="What is wrong with a file that was analysed nevertheless.")
    tuning_cents: float | None = Field(ge=-50, le=50, description="Deviation from A4 = 440 Hz.")
    seconds: float = Field(ge=0, description="The length of the recording.")
    notations: Notations | None
    ranked: list[RankedKey] = Field(description="All keys, the most probable one first.")
    mixes_with: list[MixingKey]
    segments: list[SegmentOfTime]
    picture: Picture | None = Field(None, description="Only with picture=1.")


class VersionState(Schema):
    """Whether a version can be used."""

    error_code: Literal["OK"]
    error_message: Literal[""]


class VersionStatus(Schema):
    """The status of one version of the model."""

    version: str
    state: Literal["AVAILABLE"]
    status: VersionState


class ModelStatus(Schema):
    """The status of all versions of the model."""

    model_version_status: list[VersionStatus] = Field(min_length=1)


class Dimension(Schema):
    """The size of a dimension, ``-1`` for any."""

    size: str
    name: str


class TensorShape(Schema):
    """The shape of a tensor."""

    dim: list[Dimension]
    unknown_rank: bool


class TensorInfo(Schema):
    """A tensor of a signature."""

    dtype: Literal["DT_FLOAT"]
    tensor_shape: TensorShape
    name: str


class SignatureDefinition(Schema):
    """A signature: its inputs and outputs by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    method_name: Literal["tensorflow/serving/predict"]


class SignatureMap(Schema):
    """The signatures by name."""

    signature_def: dict[str, SignatureDefinition]


class MetadataFields(Schema):
    """The fields of the metadata."""

    signature_def: SignatureMap


class ModelSpec(Schema):
    """The model that the metadata describes."""

    name: str
    signature_name: str
    version: str


class ModelMetadata(Schema):
    """The model's signatures."""

    model_spec: ModelSpec
    metadata: MetadataFields


class Predictions(Schema):
    """The answer in row format."""

    predictions: list[list[Probability]] = Field(min_length=1, description="24 probabilities for each row.")


class Outputs(Schema):
    """The answer in column format."""

    outputs: list[list[Probability]] = Field(min_length=1, description="24 probabilities for each row.")


ANSWERS: tuple[type[BaseModel], ...] = (
    Error,
    Health,
    EstimateAnswer,
    ModelStatus,
    ModelMetadata,
    Predictions,
    Outputs,
)
"""The answers that operations of the description refer to by the names of their classes."""
