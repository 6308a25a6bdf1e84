"""The imports of the three packages, drawn from the code: one way, no circles, as CONTRIBUTING.md says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each may import those before it.
PACKAGES = ("tfkey", "pipelines", "scripts")
_ROW = re.compile(r"\| (\d+) \| `([\w/.]+)` \|")


@cache
def modules() -> dict[str, Path]:
    """Every module of the three packages, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, known: set[str]) -> Iterator[str]:
    """The modules in ``known`` that a module imports, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively; name the module whole"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in known:
                    yield full
                elif node.module in known:
                    yield str(node.module)


@cache
def arrows() -> dict[str, set[str]]:
    """What each module imports of the three packages."""
    known = set(modules())
    return {name: set(imported(name, known)) - {name} for name in known}


def rooms() -> dict[str, int]:
    """The floor of each room in the table of CONTRIBUTING.md, by its dotted name."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return {
        room.removesuffix(".py").strip("/").replace("/", "."): int(floor)
        for floor, room in _ROW.findall(text)
    }


def room_of(module: str) -> str:
    """The room that a module lies in: its wing, or itself where it lies beside the wings."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] != "scripts" else "scripts"


def test_packages_import_one_way() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in arrows().items()
        for target in targets
        if PACKAGES.index(name.split(".")[0]) < PACKAGES.index(target.split(".")[0])
    ]
    assert not wrong


def test_there_are_no_circles() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_every_room_is_in_the_table() -> None:
    on_disk = {room_of(module) for module in modules()} - set(PACKAGES)
    assert on_disk == set(rooms())


def test_rooms_reach_down_only() -> None:
    floors = rooms()
    # The package itself offers what lies inside, lazily: nothing inside may ask it.
    floors |= dict.fromkeys(PACKAGES, max(floors.values()) + 1)
    wrong = [
        f"{name} (floor {floors[room_of(name)]}) imports {target} (floor {floors[room_of(target)]})"
        for name, targets in arrows().items()
        for target in targets
        if name.split(".")[0] == target.split(".")[0]
        and room_of(name) != room_of(target)
        and floors[room_of(name)] <= floors[room_of(target)]
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    from tfkey.audio import reading", {"tfkey.audio.reading"}),
        ("import tfkey.audio.reading as r", {"tfkey.audio.reading"}),
        ("from tfkey.audio.reading import read", {"tfkey.audio.reading"}),
        ("if TYPE_CHECKING:\n    from tfkey import keys", {"tfkey.keys"}),
        ("import numpy", set()),
    ],
)
def test_imports_are_found_wherever_they_are(tmp_path, monkeypatch, text, expected) -> None:
    known = {"tfkey", "tfkey.keys", "tfkey.audio", "tfkey.audio.reading"}
    path = tmp_path / "module.py"
    path.write_text(text)
    monkeypatch.setitem(modules(), "module", path)
    assert set(imported("module", known)) == expected
