"""What a section of settings is, and how an invalid setting reads in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """A group of settings: immutable, without unknown settings or infinite values."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Python, and therefore pydantic, accepts true as 1. Strict fields would refuse more than that: 2.0
        # for an integer, and 1e-4, which is a string in YAML 1.1.
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"{str(value).lower()} is not allowed: it is a boolean")
        return value


def complaint(item: Any, section: type[BaseModel], prefix: Sequence[str] = ()) -> str:
    """Return one of pydantic's errors as one line that names the setting, its value and what is allowed.

    Args:
        item: an element of ``ValidationError.errors()``.
        section: the section that was validated.
        prefix: the names of the sections around it.
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
    """Return `` (did you mean ...?)`` for an unknown name, with the most similar known name; else ``""``."""
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
