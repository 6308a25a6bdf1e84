"""CITATION.cff is as the Citation File Format wants it, and the README names it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "tests/data/citation/schema-1.2.0.json").read_text(encoding="utf-8"))


def citation() -> dict[str, Any]:
    # Dates are text in JSON.
    return yaml.load((ROOT / "CITATION.cff").read_text(encoding="utf-8"), yaml.BaseLoader)


def test_the_citation_is_valid() -> None:
    found = citation()
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    # The base loader leaves numbers as text.
    for reference in found["references"]:
        reference["year"] = int(reference["year"])
    jsonschema.validate(found, SCHEMA, jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", None),
        ("authors", []),
        ("message", None),
        ("cff-version", "1.0.0"),
        ("license", "Apache 2"),
        ("date-released", "26 November"),
        ("licence", "Apache-2.0"),
    ],
)
def test_invalid_citations_are_found(field: str, value: object) -> None:
    found = copy.deepcopy(citation())
    found.pop("references")
    found.pop(field, None)
    if value is not None:
        found[field] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA, jsonschema.Draft7Validator)


def test_the_readme_names_the_citation() -> None:
    assert "](CITATION.cff)" in (ROOT / "README.md").read_text(encoding="utf-8")
