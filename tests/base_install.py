"""On a base install, what needs the extra ``train`` is skipped, and says which package it lacks.

Only where TensorFlow is not installed at all: elsewhere a package that is missing is an error.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Generator
from typing import Any

import pytest

from tfkey.errors import MissingExtraError

IS_BASE = importlib.util.find_spec("tensorflow") is None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    missing = re.search(r"ModuleNotFoundError: (No module named .*)", report.longreprtext)
    if IS_BASE and report.failed and missing:
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: base install: {missing[1]}")
    return report


def _skipping() -> Generator[None, Any, Any]:
    try:
        return (yield)
    except (ModuleNotFoundError, MissingExtraError) as error:
        if not IS_BASE:
            raise
        pytest.skip(f"base install: {error}")


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, Any, Any]:
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, Any, Any]:
    return (yield from _skipping())
