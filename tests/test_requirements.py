"""The lowest versions in setup.cfg, those that are tested, and what the Makefile says of a Python too old."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# What tests/lowest-versions.txt is made for.
ENVIRONMENT = {**default_environment(), "python_version": "3.10", "platform_system": "Linux"}


def requirements() -> list[Requirement]:
    """All of setup.cfg, those for other Pythons too."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    return [Requirement(line) for text in texts for line in text.splitlines() if line]


def lowest(requirement: Requirement) -> Version | None:
    return next((Version(part.version) for part in requirement.specifier if part.operator == ">="), None)


def test_each_package_has_a_lowest_version_that_is_tested() -> None:
    expected = {}
    for requirement in requirements():
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            low = lowest(requirement)
            if low is not None:
                expected[requirement.name.lower()] = low
    text = (ROOT / "tests" / "lowest-versions.txt").read_text(encoding="utf-8")
    pins = [line.split("==") for line in text.splitlines() if not line.startswith("#")]
    assert {name: Version(version) for name, version in pins} == expected
    assert [name for name, _ in pins] == sorted(expected)
    for requirement in requirements():
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            assert requirement.specifier.contains(str(expected[requirement.name.lower()])), requirement


def test_no_package_is_without_a_lowest_version() -> None:
    with_one = {requirement.name for requirement in requirements() if lowest(requirement)}
    assert {requirement.name for requirement in requirements()} == with_one


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_each_python_gets_one_tensorflow(version: str) -> None:
    environment = {**ENVIRONMENT, "python_version": version}
    chosen = [
        str(requirement.specifier)
        for requirement in requirements()
        if requirement.name == "tensorflow"
        and requirement.marker
        and requirement.marker.evaluate(environment)
    ]
    assert len(chosen) == 1


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("version", "refused"), [("3.9", True), ("3.10", False), ("3.14", False)])
def test_make_names_a_python_that_is_too_old(tmp_path: Path, version: str, refused: bool) -> None:
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || {{ echo "no venv" >&2; exit 1; }}\n'
        f'exec "{sys.executable}" -c "import sys; sys.version_info = ({version.replace(".", ", ")})\n$2"\n'
    )
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not re.match(r"make(\[\d+\])?: ", line)]
    remedy = "choose one with: make PYTHON=python3.12"
    too_old = f"{python} is Python {version}, but tfkey needs 3.10 or later; {remedy}"
    assert lines == [too_old if refused else "no venv"]
