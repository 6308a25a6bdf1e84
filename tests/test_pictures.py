"""Pictures of the handbook: each is there in light and dark, small, and shown somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures.rooms import by_floor, rooms_figure
from tests.pictures.saving import DOCS, LARGEST, ROOT, save_small
from tests.test_layers import rooms

PICTURES = sorted(DOCS.rglob("*.png"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
# As docs/site/hooks.py reads it.
_PICTURE = re.compile(
    r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">'
    r'\s*<img alt="([^"]+)" src="([^"]+)">\s*</picture>'
)
_PLAIN = re.compile(r"!\[[^\]]+\]\(([^)\s]+\.png)\)")
# What the product itself draws: on white paper only.
ONE_SCHEME = {DOCS / "predict.png"}


def shown() -> dict[Path, list[Path]]:
    """The pages that show each picture."""
    found: dict[Path, list[Path]] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        addresses = [address for dark, _, light in _PICTURE.findall(text) for address in (dark, light)]
        for address in [*addresses, *_PLAIN.findall(text)]:
            found.setdefault((page.parent / address).resolve(), []).append(page)
    return found


def test_pictures_that_are_shown_exist_and_others_do_not() -> None:
    assert set(shown()) == set(PICTURES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_both_schemes_are_given_as_the_site_reads_them(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = _PICTURE.findall(text)
    assert text.count("<picture>") == len(found)
    for dark, _, light in found:
        assert dark == light.replace("-light.png", "-dark.png")
        assert dark != light
    assert {(page.parent / address).resolve() for address in _PLAIN.findall(text)} <= ONE_SCHEME


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_pictures_are_small(path: Path) -> None:
    assert path.stat().st_size <= LARGEST
    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert picture.width <= 1700


def test_a_picture_with_too_many_colours_gets_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.pictures.saving.ROOT", tmp_path)
    noise = Image.effect_noise((300, 300), 90).convert("RGB")
    save_small(noise, tmp_path / "noise.png", 200)
    with Image.open(tmp_path / "noise.png") as picture:
        assert len(picture.getcolors()) <= 200
    monkeypatch.setattr("tests.pictures.saving.LARGEST", 1000)
    with pytest.raises(SystemExit, match="make it smaller"):
        save_small(noise, tmp_path / "noise.png")


def test_the_tree_of_the_code_has_every_room() -> None:
    drawn = {
        f"{package}.{name}"
        for package, floors in by_floor().items()
        for found in floors.values()
        for name in found
    }
    assert drawn == set(rooms())
    texts = {text.get_text() for text in rooms_figure(dark=False).axes[0].texts}
    assert {room.partition(".")[2] for room in rooms()} <= texts
