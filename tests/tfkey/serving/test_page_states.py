"""The page with a server that is busy, asks for a token, refuses, or goes away; and parts of it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tfkey.serving.browser import Page, chromium
from tests.tfkey.serving.scripted import Asked, Reply, answer, scripted, well
from tfkey.audio.finding import EXTENSIONS
from tfkey.keys import KEYS

Answering = Callable[[Asked], Reply]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    browser.complaints()
    yield browser
    assert browser.complaints() == []


@pytest.fixture(scope="module")
def opened(browser: Page) -> Iterator[str]:
    with scripted(well) as (address, _):
        yield address


@pytest.fixture
def still(page: Page, opened: str) -> Page:
    """A page for its modules only; it is loaded once."""
    if page.script("return location.href") != opened:
        page.open(opened)
    return page


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"song {number}.ogg" for number in range(1, 9)]
    for path in paths:
        path.write_bytes(b"OggS" + bytes(2000))
    return paths


def test_a_busy_server_is_asked_again_when_it_said(page: Page, files: list[Path]) -> None:
    seen: Counter[str] = Counter()

    def busy(request: Asked) -> Reply:
        seen[request.name] += 1
        if seen[request.name] == 1:
            return Reply(503, {"error": "busy; try again later"}, {"Retry-After": "1"})
        return well(request)

    with scripted(busy) as (address, _):
        page.open(address)
        page.drop(*files[:4])
        page.wait_until_done(4)
        assert page.text("#summary") == "4 songs"
    assert set(seen.values()) == {2}


def test_a_few_songs_are_sent_at_once_and_only_the_one_in_view_has_a_picture(
    page: Page, files: list[Path]
) -> None:
    with scripted(well) as (address, asked):
        page.open(address)
        page.drop(*files)
        page.wait_until_done(8)
        pictured = [request.name for request in asked if "picture=1" in request.path]
        assert pictured == ["song 1.ogg"]
        assert len(asked) == 8
        page.click("#rows tr:nth-child(5) .open")
        page.wait(lambda: not page.script("return lanes.classList.contains('empty')"))
        assert asked[-1].path.endswith("picture=1")
        assert asked[-1].name == "song 5.ogg"


def test_a_token_in_the_address_is_sent_and_hidden(page: Page, files: list[Path]) -> None:
    with scripted(well) as (address, asked):
        page.open(f"{address}#token=open%20sesame")
        assert page.script("return location.href") == address
        page.drop(files[0])
        page.wait_until_done(1)
        page.driver.refresh()
        page.drop(files[0])
        page.wait_until_done(1)
        assert [request.headers["Authorization"] for request in asked] == ["Bearer open sesame"] * 2


def test_a_ticket_in_the_address_is_exchanged_for_the_token(page: Page, files: list[Path]) -> None:
    def exchanging(request: Asked) -> Reply:
        if request.path.startswith("/view/token"):
            return Reply(body={"token": "sesame"})
        return Reply(body={"name": "a song.ogg"}) if request.path == "/view/name" else well(request)

    with scripted(exchanging) as (address, asked):
        page.open(f"{address}#view&ticket=a%2Bb")
        page.wait_until_done(1)
        assert page.script("return location.href") == f"{address}#view"
        assert (asked[0].method, asked[0].path) == ("POST", "/view/token?ticket=a%2Bb")
        assert {request.headers.get("Authorization") for request in asked[1:]} == {"Bearer sesame"}


def test_a_server_that_asks_for_a_token_gets_one(page: Page, files: list[Path]) -> None:
    def guarded(request: Asked) -> Reply:
        if request.headers.get("Authorization") != "Bearer correct-horse":
            return Reply(401, {"error": "the token is missing or wrong"})
        return well(request)

    with scripted(guarded) as (address, _):
        page.open(address)
        page.drop(*files[:3])
        page.wait(lambda: page.find("#token-dialog").is_displayed())
        assert page.script("return document.activeElement.id") == "token"
        page.press("wrong", "ENTER")
        page.wait(lambda: page.text("#token-problem") == "The server did not accept that token.")
        page.press("correct-horse", "ENTER")
        page.wait_until_done(3)
        assert not page.find("#token-dialog").is_displayed()


@pytest.mark.parametrize(
    ("reply", "words", "can_retry"),
    [
        (Reply(413, {"error": "the file is larger than 200 MB"}), "The file is larger than 200 MB.", False),
        (Reply(422, {"error": "<b>cannot</b> be decoded"}), "<b>cannot</b> be decoded.", False),
        (Reply(500, {"no": "sentence"}), "The server answered with status 500.", True),
        (Reply(502, b"<html>"), "The server answered with status 502.", True),
    ],
)
def test_an_error_is_beside_its_song(
    page: Page, files: list[Path], reply: Reply, words: str, can_retry: bool
) -> None:
    replies = [reply]
    with scripted(
        lambda request: well(request) if "1" not in request.name or not replies else replies.pop()
    ) as (
        address,
        _,
    ):
        page.open(address)
        page.drop(*files[:2])
        page.wait_until_done(2)
        assert words in page.row("song 1.ogg")
        assert "A♭ minor" in page.row("song 2.ogg")
        assert page.text("#key-words") == words
        assert page.find("#song-retry").is_displayed() == can_retry
        if can_retry:
            page.click("#rows tr:first-child .link")
            page.wait(lambda: page.text("#key") == "A♭ minor")


def test_a_server_that_has_gone_is_tried_again_and_then_reported(page: Page, files: list[Path]) -> None:
    with scripted(lambda request: Reply(None)) as (address, asked):
        page.open(address)
        page.drop(files[0])
        page.wait(lambda: page.text("#key") == "Not analysed")
        assert "The connection ended" in page.text("#key-words")
        # Chromium may repeat a request by itself.
        assert len(asked) >= 3


def test_a_file_that_has_gone_is_not_taken_for_a_server_that_has(page: Page, files: list[Path]) -> None:
    def held(request: Asked) -> Reply:
        files[7].unlink(missing_ok=True)
        return well(request)

    with scripted(held) as (address, _):
        page.open(address)
        page.drop(*files)
        page.wait_until_done(8)
        assert "cannot be read any more" in page.row("song 8.ogg")


def test_a_song_in_a_format_that_the_browser_lacks_is_still_shown(page: Page, files: list[Path]) -> None:
    with scripted(well) as (address, _):
        page.open(address)
        page.drop(files[0])
        page.wait_until_done(1)
        page.wait(lambda: page.text("#player-problem") == "This browser cannot play the file.")
        assert not page.find("#play").is_enabled()
        page.click("#lanes")
        assert page.text("#time") == "0:30 / 1:00"
        assert page.text("#key-now") == "E♭ minor"
        assert page.text("#short") == "A♭m / G♯m"
        assert page.texts("#keys > span") == ["A♭ minor", "E♭ minor", "A♭ major", "no key"]
        assert [page.script("return keys.children[arguments[0]].className", i) for i in range(4)] == [
            "same", "near", "far", "none",
        ]  # fmt: skip


def test_the_colours_can_be_chosen(page: Page) -> None:
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    with scripted(well) as (address, _):
        page.open(address)
        light = page.script(ground)
        page.look(1280, 860, dark=True)
        dark = page.script(ground)
        assert light != dark
        seen = []
        for _press in range(3):
            page.click("#theme")
            seen.append((page.text("#theme-name"), page.script(ground)))
        assert seen == [("Light", light), ("Dark", dark), ("System", dark)]


def test_the_keys_are_those_of_tfkey(still: Page) -> None:
    names = [key.long for key in KEYS]
    indices = "given[0].map((name) => [page.keyIndex(name), page.camelot(page.keyIndex(name))])"
    assert still.module("keys.js", indices, names) == [[key.index, key.camelot] for key in KEYS]
    spellings = still.module("keys.js", "given[0].map(page.inBothSpellings)", [key.short for key in KEYS])
    assert [text.replace("♭", "b").replace("♯", "#").split(" / ") for text in spellings] == [
        list(dict.fromkeys([key.short, key.write("short", sharps=True)])) for key in KEYS
    ]
    near = [(key, key.fifth_up, key.fifth_down, key.relative) for key in KEYS]
    pairs = [[keys[0].index, key.index] for keys in near for key in keys]
    relations = still.module("keys.js", "given[0].map(([a, b]) => page.relation(a, b))", pairs)
    for key, words in zip(KEYS, zip(*[iter(relations)] * 4, strict=True), strict=True):
        other = "minor" if key.mode == "major" else "major"
        assert words == ("same key", "a fifth up", "a fifth down", f"relative {other}")


def test_a_folder_is_searched_for_what_predict_searches_it_for(still: Page) -> None:
    assert {f".{suffix}" for suffix in still.module("files.js", "[...page.EXTENSIONS]")} == EXTENSIONS


@pytest.mark.parametrize(
    ("keys", "length"),
    [
        ([], 0),
        (["C major"], 0),
        (["C major", "C major"], 0),
        # Once round, of all 24: 12 keys of a ring are 11 apart, the change to the other ring is 1.
        ([key.long for key in KEYS], 23),
        (["C major", "Gb major", "G major", "Db major", "D major"], 7),
        (["F major", None, "A minor", "C major", "D minor"], 3),
    ],
)
def test_the_suggested_order_is_short_and_always_the_same(
    still: Page, keys: list[str | None], length: int
) -> None:
    songs = [{"name": f"{number}.ogg", "key": key} for number, key in enumerate(keys)]
    found = still.module("order.js", "page.playingOrder(given[0])", songs)
    again = still.module("order.js", "page.playingOrder(given[0])", songs[::-1])
    assert found == again
    assert sorted(song["name"] for song in found) == sorted(song["name"] for song in songs)
    named = [song["key"] for song in found if song["key"]]
    assert [song["key"] for song in found[len(named) :]] == [None] * (len(found) - len(named))
    walked = still.module(
        "keys.js", "given[0].map(([a, b]) => page.steps(page.keyIndex(a), page.keyIndex(b)))",
        [list(pair) for pair in pairwise(named)],
    )  # fmt: skip
    assert sum(walked) == length


def test_playlists_hold_only_names_that_they_can_hold(still: Page) -> None:
    songs = [
        {"path": path, "name": path.rpartition("/")[2], "answer": answer(path)}
        for path in ("disc/1.ogg", "#1 hit.mp3", " blank.ogg", "two\nlines.ogg")
    ] + [{"path": "failed.ogg", "name": "failed.ogg", "answer": None}]
    lines = still.module("export.js", "page.toM3u(given[0])", songs).splitlines()
    assert lines[2::2] == ["disc/1.ogg", "./#1 hit.mp3", "./ blank.ogg"]
    assert lines[1] == "#EXTINF:60,1 (1A)"
