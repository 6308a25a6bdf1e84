"""WCAG 2.2 AA: axe-core in both colour schemes and at every width, and what axe-core cannot see."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.tfkey.serving.browser import Page, chromium
from tests.tfkey.serving.scripted import Asked, Reply, answer, scripted

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NAMES = ("first.ogg", "second song with a long name_and_parts.ogg", "silent.wav", "broken.mp3", "warned.ogg")
WIDTHS = (1280, 700, 390, 320)


def every_state(request: Asked) -> Reply:
    """A song with a key, another, a silent one, a broken one, and one that is cut."""
    if "broken" in request.name:
        return Reply(500, {"error": "cannot be decoded (Format not recognised); give an intact audio file"})
    if "silent" in request.name:
        fields = answer(request.name, None, reason="silent", picture="picture" in request.path)
    else:
        key = "B major" if "second" in request.name else "Gb minor"
        fields = answer(request.name, key, picture="picture" in request.path)
    if "warned" in request.name:
        fields["warning"] = "the file is cut short after 60 s"
    return Reply(body=fields)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with scripted(every_state) as (address, _):
        yield address


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("songs")
    for name in NAMES:
        (folder / name).write_bytes(b"OggS" + bytes(2000))
    return [folder / name for name in NAMES]


@pytest.fixture(scope="module")
def filled(page: Page, address: str, files: list[Path]) -> Page:
    """The page with songs in every state, in the suggested order, everything unfolded."""
    page.open(address)
    page.drop(*files)
    page.wait_until_done(len(NAMES))
    page.click("#suggest")
    view(page, NAMES[0])
    page.click("#key-list-box summary")
    page.click("#all-keys-box summary")
    return page


def violations(page: Page) -> list[str]:
    """What axe-core finds: the rule, and the first element."""
    if not page.script("return 'axe' in window"):
        page.script(resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found: dict[str, Any] = page.driver.execute_async_script(
        "axe.run(document, { runOnly: arguments[0] }).then(arguments[1]);", RULES
    )
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found["violations"]]


def view(page: Page, name: str) -> None:
    page.script(
        "[...document.querySelectorAll('.open')].find((e) => e.innerText === arguments[0]).click()", name
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_on_the_first_screen(page: Page, address: str, dark: bool, width: int) -> None:
    page.open(address, width=width, dark=dark)
    assert violations(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_with_songs(filled: Page, dark: bool, width: int) -> None:
    filled.look(width, 860, dark)
    assert violations(filled) == []


@pytest.mark.parametrize("name", ["silent.wav", "broken.mp3", "warned.ogg"])
def test_axe_finds_nothing_with_an_unusual_song_in_view(filled: Page, name: str) -> None:
    filled.look(1280, 860, dark=False)
    view(filled, name)
    assert filled.text("#song-name") == name
    assert violations(filled) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
def test_names_on_the_circle_have_contrast(filled: Page, dark: bool, probability: float) -> None:
    """axe-core does not look at text on shapes. The root of a probability is what shades its field."""
    filled.look(1280, 860, dark)
    view(filled, NAMES[0])
    ratios = filled.script(
        """const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        const luminance = (colour) => {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((value) => {
                const share = value / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        return [...document.querySelectorAll("#circle g")].flatMap((group) => {
            const field = group.querySelector(".field");
            field.style.setProperty("--shade", String(Math.sqrt(arguments[0])));
            const ground = luminance(getComputedStyle(field).fill);
            return [...group.querySelectorAll("text")].map((text) => {
                const ink = luminance(getComputedStyle(text).fill);
                return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
            });
        });""",
        probability,
    )
    assert len(ratios) == 48
    assert min(ratios) >= 4.5


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(filled: Page, width: int) -> None:
    view(filled, NAMES[1])
    filled.look(width, 800, dark=False)
    assert filled.script("return document.documentElement.scrollWidth") <= width
    wider = filled.script("""return [...document.querySelectorAll("main *, header *")].filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width && !e.closest(".hidden, .keys") && box.right > innerWidth + 1;
    }).map((e) => e.outerHTML.slice(0, 80))""")
    assert wider == []


@pytest.mark.parametrize("width", [1280, 320])
def test_targets_are_large_enough(filled: Page, width: int) -> None:
    filled.look(width, 860, dark=False)
    view(filled, "broken.mp3")
    small = filled.script("""return [...document.querySelectorAll("button, summary, input, [tabindex]")]
        .map((e) => [e, e.getBoundingClientRect()])
        .filter(([e, box]) => box.width && (box.width < 24 || box.height < 24))
        .map(([e, box]) => `${e.outerHTML.slice(0, 80)} ${box.width} ${box.height}`)""")
    assert small == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(filled: Page) -> None:
    filled.look(1280, 860, dark=False)
    view(filled, NAMES[0])
    # From the top of the page.
    filled.script("const top = document.querySelector('h1'); top.tabIndex = -1; top.focus();")
    reached = []
    for _step in range(80):
        filled.press("TAB")
        where = filled.script("""const e = document.activeElement;
            const style = getComputedStyle(e);
            const name = e.id || e.getAttribute("aria-label") || e.innerText || e.dataset.sort;
            return [e === document.body ? "" : name,
                    style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                    e.getBoundingClientRect().bottom > 0];""")
        if not where[0] or where in reached:
            break
        reached.append(where)
    names = [name for name, _, _ in reached]
    assert all(visible and inside for _, visible, inside in reached), reached
    expected = [
        "add-files",
        "add-folder",
        "theme",
        "previous",
        "next",
        "lanes",
        "suggest",
        "export-csv",
        "clear",
    ]
    assert [name for name in names if name in expected] == expected
    assert set(NAMES) <= set(names)
    assert {f"Remove {name}" for name in NAMES} <= set(names)


def test_arrow_keys_go_from_song_to_song(filled: Page) -> None:
    filled.script("document.querySelector('#rows tr .open').focus()")
    filled.press("ARROW_DOWN", "ARROW_DOWN", "ARROW_UP", "ENTER")
    second = filled.names()[1]
    filled.wait(lambda: filled.text("#song-name") == second)
    assert filled.script("return document.activeElement.innerText") == second
    assert filled.find("#rows tr.in-view .open").get_attribute("aria-current") == "true"


def test_what_happens_is_announced(filled: Page) -> None:
    filled.click('[data-sort="key"]')
    filled.wait(lambda: "Sorted by key" in filled.script("return announcements.textContent"))
    view(filled, "silent.wav")
    filled.wait(lambda: "silent.wav: No key." in filled.script("return announcements.textContent"))


def test_nothing_moves_where_the_system_asks_for_none(filled: Page) -> None:
    moving = """return [...document.querySelectorAll("*")].filter((e) => {
        const style = getComputedStyle(e);
        return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
    }).length"""
    filled.look(1280, 860, dark=False, calm=False)
    assert filled.script(moving) > 0
    filled.look(1280, 860, dark=False, calm=True)
    assert filled.script(moving) == 0


def test_no_style_or_script_is_written_in_the_markup() -> None:
    page = resources.files("tfkey.serving") / "page"
    markup = page.joinpath("index.html").read_text(encoding="utf-8")
    assert not any(
        word in markup for word in ("style=", "<style", "onclick", "onload", "javascript:", "http")
    )
    for part in page.iterdir():
        text = part.read_text(encoding="utf-8")
        assert not any(word in text for word in ("innerHTML", "outerHTML", "eval(", "document.write")), (
            part.name
        )
        assert len(text.splitlines()) < 400 if part.name.endswith(".css") else len(text.splitlines()) < 300
