"""The order in which the workers of xdist get the test files, and their number."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import order

GIGABYTE = 2**30


def test_the_table_lists_files_that_exist_the_longest_first() -> None:
    table = order.seconds()
    assert [name for name in table if not (order.ROOT / name).is_file()] == []
    assert list(table.values()) == sorted(table.values(), reverse=True)
    assert min(table.values()) >= order.LEAST_SECONDS


def test_longest_files_come_first_and_tests_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "seconds", lambda: {"slow": 9.0, "slowest": 20.0, "of another run": 30.0})
    files = ["new", "slow", "b", "slowest", "slow", "a", "b", "slowest"]
    assert order.longest_first(files) == [3, 7, 1, 4, 0, 2, 6, 5]


@pytest.mark.parametrize(
    ("cores", "gigabytes", "expected"),
    [(2, 24, 3), (2, 8, 2), (2, 10, 3), (1, 4, 1), (1, 2, 1), (4, 8, 2), (4, 16, 5), (4, None, 5)],
)
def test_workers_keep_the_cores_busy_and_fit_into_memory(
    cores: int, gigabytes: float | None, expected: int
) -> None:
    assert order.workers(cores, None if gigabytes is None else gigabytes * GIGABYTE) == expected


def test_number_of_workers_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    assert order.pytest_xdist_auto_num_workers() >= 1
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "7")
    assert order.pytest_xdist_auto_num_workers() is None


def test_a_report_becomes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [("tests.test_order", 1.2), ("tests.scripts.test_cli", 40), ("tests.test_order", 0.9), ("", 8)]
    text = "".join(f'<testcase classname="{name}" name="test" time="{time}"/>' for name, time in cases)
    (tmp_path / "report.xml").write_text(f"<testsuites><testsuite>{text}</testsuite></testsuites>")
    monkeypatch.setattr(order, "TABLE", tmp_path / "seconds.csv")
    order.write(order.measured(tmp_path / "report.xml"))
    assert order.seconds() == {"tests/scripts/test_cli.py": 40, "tests/test_order.py": 2}


def test_xdist_keeps_the_order(tmp_path: Path) -> None:
    """Left to itself, xdist starts with the file that has the most tests."""
    (tmp_path / "conftest.py").write_text(
        "from tests import order\n"
        "from tests.order import pytest_collection_modifyitems, pytest_configure\n"
        "order.seconds = lambda: {'test_slow.py': 9.0, 'test_slower.py': 99.0}\n"
    )
    for name, tests in (("many", 3), ("slow", 2), ("slower", 1)):
        lines = (f"def test_{number}(): pass\n" for number in range(tests))
        (tmp_path / f"test_{name}.py").write_text("".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "xdist", "-n", "1", "--dist", "loadfile"],
        cwd=tmp_path,
        # Other plugins take longer to load than the rest takes.
        env={**os.environ, "PYTHONPATH": str(order.ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line.split()[-1].split("::")[0] for line in done.stdout.splitlines() if "PASSED" in line]
    assert found == ["test_slower.py", *["test_slow.py"] * 2, *["test_many.py"] * 3]
