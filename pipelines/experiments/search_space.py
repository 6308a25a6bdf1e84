"""Search spaces: which settings a search varies and within which bounds, read from YAML and checked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipelines.prepared.parameters import preparation_parameters
from tfkey.config import Config, changed, flat_settings
from tfkey.config_layers import config_root
from tfkey.errors import ConfigError, TfkeyError
from tfkey.runs import MONITOR

Objective = Literal["val_mirex", "val_accuracy", "val_loss"]

_SECTIONS = ("model", "features", "loss", "augment", "train")


class Entry(BaseModel):
    """The values that a search tries for one setting: exactly one of ``choice``, ``int`` and ``float``.

    Attributes:
        choice: any YAML values.
        integers: ``int`` in YAML: the minimum and the maximum, inclusive.
        numbers: ``float`` in YAML: the minimum and the maximum.
        step: distance between the numbers of a linear range.
        log: spread the numbers evenly over orders of magnitude.
        when: another setting, which must be an unconditional choice, with its value or values for which this
            setting is searched.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    choice: list[Any] | None = Field(None, min_length=1)
    integers: tuple[int, int] | None = Field(None, alias="int")
    numbers: tuple[float, float] | None = Field(None, alias="float")
    step: float | None = Field(None, gt=0)
    log: bool = False
    when: dict[str, Any] = Field({}, max_length=1)

    @model_validator(mode="after")
    def _check(self) -> Entry:
        kinds = {"choice": self.choice, "int": self.integers, "float": self.numbers}
        given = [kind for kind, value in kinds.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given) or 'no kind'}; give exactly one of choice, int, float"
            )
        if self.choice is not None:
            if self.log or self.step is not None:
                raise ValueError("a choice has neither log nor step")
            if len({repr(value) for value in self.choice}) < len(self.choice):
                raise ValueError(f"choice {self.choice} names a value twice")
            return self
        least, most = self.bounds
        if not least < most:
            raise ValueError(f"[{least}, {most}]: the minimum must be below the maximum")
        if self.log and least <= 0:
            raise ValueError(f"[{least}, {most}]: log needs a minimum above 0")
        step = self.step
        if step is not None and (self.log or step > most - least or (self.integers and step % 1)):
            raise ValueError(f"step {step:g} does not fit [{least}, {most}], or log is set, too")
        return self

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The minimum and the maximum of a range."""
        bounds = self.integers or self.numbers
        assert bounds is not None
        return bounds

    @property
    def corners(self) -> list[Any]:
        """The values to check: if these are allowed, all values are."""
        return self.choice if self.choice is not None else list(self.bounds)

    @property
    def condition(self) -> tuple[str, list[Any]] | None:
        """The other setting, and the values of it for which this one is searched."""
        for name, values in self.when.items():
            return name, values if isinstance(values, list) else [values]
        return None


class Search(BaseModel):
    """A search: its space, and how the space is searched.

    Attributes:
        space: settings by dotted name, with several entries if they have different conditions.
        objective: the figure in ``history.csv`` to optimise.
        trials: maximum number of trials.
        epochs: maximum number of epochs of a trial; None for ``train.epochs``.
        seed: the seed of the search.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    objective: Objective = MONITOR
    trials: int = Field(20, ge=1)
    epochs: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    space: dict[str, Entry | list[Entry]] = Field(min_length=1)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every setting with its entry, those without a condition first."""
        pairs = [
            (name, entry)
            for name, found in self.space.items()
            for entry in (found if isinstance(found, list) else [found])
        ]
        yield from sorted(pairs, key=lambda pair: bool(pair[1].when))


def load_search(space: str | Path) -> Search:
    """Read a search.

    Args:
        space: a YAML file, or the name of one in ``configs/``.

    Raises:
        ConfigError: the file is missing or is not YAML, or an entry is invalid; names the entry.
    """
    named = config_root() / f"{space}.yaml"
    path = Path(space) if Path(space).is_file() else named
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"search space {space}: cannot be read; give a YAML file, or the name tune", remedy="space"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML; fix it or give another file") from error
    if not isinstance(values, dict) or not values.get("space"):
        raise ConfigError(f"{path}: has no settings below space:; configs/tune.yaml is an example")
    try:
        return Search.model_validate(values)
    except ValidationError as error:
        item = error.errors()[0]
        # An entry may be a list; pydantic reports the errors of both alternatives.
        where = ".".join(str(part) for part in item["loc"] if "Entry" not in str(part))
        message = item["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {where}: {message[:1].lower()}{message[1:]}") from error


def check_search(search: Search, config: Config, *, sets_epochs: bool) -> None:
    """Check every value of a space in the configuration that it will be part of.

    Args:
        search: the search.
        config: the settings that are not searched.
        sets_epochs: whether the algorithm chooses the number of epochs itself.

    Raises:
        ConfigError: a setting is unknown or must not be searched, or a value is out of its domain or needs
            other data than is prepared.
    """
    unconditional = {name: entry for name, entry in search.entries() if not entry.when}
    networks: list[dict[str, Any]] = [{}]
    for name in ("model", "model.name"):
        if name in unconditional:
            networks = [{name: value} for value in unconditional[name].corners]
    for name, entry in search.entries():
        _check_name(name, search, sets_epochs)
        settings = networks if name.startswith("model.") and name != "model.name" else [{}]
        if entry.condition:
            parent, values = entry.condition
            allowed = unconditional[parent].choice if parent in unconditional else None
            if allowed is None:
                raise ConfigError(f"space.{name}: when: {parent} is not an unconditional choice of the space")
            strange = [value for value in values if value not in allowed]
            if strange:
                raise ConfigError(f"space.{name}: when: {parent} is never {strange[0]!r} in the space")
            kept = [network for network in networks if parent not in network]
            settings = [{**network, parent: value} for network in kept or [{}] for value in values]
        for given, value in itertools.product(settings, entry.corners):
            _check_value(name, {**given, name: value}, config)


def _check_name(name: str, search: Search, sets_epochs: bool) -> None:
    section, _, setting = name.partition(".")
    if section not in _SECTIONS or (not setting and section not in ("model", "features")):
        raise ConfigError(
            f"space.{name}: cannot be searched; allowed: settings of {', '.join(_SECTIONS)}, "
            "because all trials must be evaluated on the same data"
        )
    if name == "train.limit" or (name.startswith("loss.") and search.objective == "val_loss"):
        raise ConfigError(f"space.{name}: cannot be searched: it changes what {search.objective} measures")
    if name == "train.epochs" and (sets_epochs or search.epochs):
        raise ConfigError(
            "space.train.epochs: cannot be searched: the setting epochs, or hyperband, determines it"
        )


def _check_value(name: str, settings: Mapping[str, Any], config: Config) -> None:
    try:
        tried = changed(config, settings, "the search space")
    except TfkeyError as error:
        raise ConfigError(f"space.{name}: {settings[name]!r} cannot be tried: {error}") from error
    old, new = (preparation_parameters(each, config.mode) for each in (config, tried))
    differing = [setting for setting in old if old[setting] != new[setting]]
    if differing:
        raise ConfigError(
            f"space.{name}: {differing[0]}={new[differing[0]]} does not match the data prepared in mode "
            f"{config.mode} ({old[differing[0]]}); search features only in mode audio, "
            "and never the sample rate",
            remedy="mode",
        )


def searched_settings(search: Search, config: Config) -> list[str]:
    """Return the dotted names of all settings that differ between trials, for tables."""
    names = []
    for name, entry in search.entries():
        condition = {entry.condition[0]: entry.condition[1][0]} if entry.condition else {}
        flats = [
            flat_settings(changed(config, {**condition, name: value}, "the search space"))
            for value in entry.corners
        ]
        keys = sorted({key for flat in flats for key in flat})
        names += [key for key in keys if len({str(flat.get(key)) for flat in flats}) > 1]
    return list(dict.fromkeys(names))
