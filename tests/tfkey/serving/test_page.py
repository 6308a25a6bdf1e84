"""The page with the real server: songs dropped, heard, moved, sorted, put into an order, and exported."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.tfkey.serving.browser import PATIENCE, Page, chromium, make_songs, serving

WEST, LAVA, EMPIRE = "supertuxkart_west.ogg", "supertuxkart_lava.ogg", "naev_empire1.ogg"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_songs(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="module")
def address(browser: Page) -> Iterator[str]:
    with serving("serve", "--port", "0", "--workers", "2") as (found, _):
        yield found


@pytest.fixture
def page(browser: Page, address: str) -> Iterator[Page]:
    """A page that is empty at first; it may neither complain nor ask another host."""
    browser.complaints()
    browser.requests()
    browser.open(address)
    yield browser
    assert browser.complaints() == []
    asked = {urlsplit(request["url"]) for request in browser.requests()}
    # The browser loads chrome://resources for its own first tab, sometimes late; no page can.
    assert {url.netloc for url in asked if url.scheme not in ("blob", "data", "about", "chrome")} == {
        urlsplit(address).netloc
    }


def test_the_first_screen_asks_for_songs(page: Page) -> None:
    assert page.text("#welcome h2") == "What key is it in?"
    assert page.find("#choose-files").is_displayed()
    assert not page.find("#list").is_displayed()
    assert page.text("#where") == "The songs stay on this computer."


def test_a_song_is_shown_with_its_key_and_how_sure_it_is(page: Page, songs: dict[str, Path]) -> None:
    page.drop(songs[EMPIRE])
    page.wait_until_done(1)
    assert page.text("#key") == "D minor"
    assert [page.text(f"#{name}") for name in ("camelot", "open-key", "short")] == ["7A", "12m", "Dm"]
    assert page.text("#chances li:first-child").split("\n")[0] == "D minor"
    assert [" ".join(text.split()) for text in page.texts("#mixes li")] == [
        "7A D minor same key",
        "8A A minor a fifth up",
        "6A G minor a fifth down",
        "7B F major relative major",
    ]
    assert page.text("#tuning") == "Tuned to A = 440 Hz"
    assert page.script("return document.title") == f"D minor · {EMPIRE} – tfkey"
    page.wait(lambda: f"{EMPIRE}: D minor" in page.script("return announcements.textContent"))


def test_the_circle_marks_the_key_and_what_mixes_with_it(page: Page, songs: dict[str, Path]) -> None:
    page.drop(songs[LAVA])
    page.wait_until_done(1)
    names = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
    assert page.script(names, "#circle .best .name") == ["Cm"]
    assert sorted(page.script(names, "#circle .mixes .name")) == ["E♭", "Fm", "Gm"]
    assert len(page.script(names, "#circle .field")) == 24
    shade = "return [...document.querySelectorAll('.field')].map((e) => e.style.getPropertyValue('--shade'))"
    shades = page.script(shade)
    assert len(set(shades)) > 4
    assert (
        page.find("#circle svg").get_attribute("aria-label").startswith("The circle of fifths with C minor")
    )
    assert len(page.script(names, "#all-keys li")) == 24


def test_the_pictures_are_drawn(page: Page, songs: dict[str, Path]) -> None:
    page.drop(songs[WEST])
    page.wait(lambda: not page.script("return lanes.classList.contains('empty')"))
    colours = """const canvas = document.getElementById(arguments[0]);
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;"""
    assert page.script(colours, "spectrogram") > 500
    assert page.script(colours, "wave") >= 2
    assert page.texts("#keys > span") == ["G major"]
    assert page.texts("#pitches span")[:2] == ["C1", "C2"]


def test_it_plays_and_the_position_moves_by_click_and_key(page: Page, songs: dict[str, Path]) -> None:
    page.drop(songs[WEST])
    page.wait(lambda: not page.script("return lanes.classList.contains('empty')"))
    page.click("#play")
    page.wait(lambda: page.script("return audio.currentTime > 0.2"))
    assert page.find("#play").get_attribute("aria-label") == "Pause"
    page.click("#play")
    page.wait(lambda: page.script("return audio.paused"))
    page.click("#lanes")
    page.wait(lambda: abs(page.script("return audio.currentTime") - 22.5) < 0.5)
    assert page.text("#time") == "0:22 / 0:45"
    page.press("ARROW_RIGHT")
    page.wait(lambda: abs(page.script("return audio.currentTime") - 27.5) < 0.5)
    page.press("HOME", "PAGE_UP")
    page.wait(lambda: page.script("return audio.currentTime") == 30)
    assert page.find("#lanes").get_attribute("aria-valuetext") == "0:30 of 0:45, G major"
    assert float(page.script("return getComputedStyle(lanes).getPropertyValue('--played')")) == pytest.approx(
        2 / 3, abs=1e-3
    )
    page.press("SPACE")
    page.wait(lambda: not page.script("return audio.paused"))
    page.press("SPACE")


def test_a_silent_and_a_broken_file_say_so_in_their_rows(page: Page, songs: dict[str, Path]) -> None:
    page.drop(songs[WEST], songs["silent.wav"], songs["broken.mp3"], songs["noise.wav"])
    page.wait_until_done(4)
    assert "G major" in page.row(WEST)
    assert "No key. The recording is silent" in page.row("silent.wav")
    assert "No key. There are no steady tones" in page.row("noise.wav")
    assert "cannot be decoded" in page.row("broken.mp3").lower()
    assert page.text("#summary") == "4 songs, 1 not analysed"
    for name, headline in {
        "silent.wav": "No key",
        "broken.mp3": "Not analysed",
        "noise.wav": "No key",
    }.items():
        page.script(
            "[...document.querySelectorAll('.open')].find((e) => e.innerText === arguments[0]).click()", name
        )
        assert page.text("#key") == headline
        assert page.text("#key-words")
    assert page.text("#player-problem") == ""


def test_twenty_songs_in_a_folder(page: Page, songs: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "album"
    (folder / "disc 1").mkdir(parents=True)
    for number in range(20):
        name = (WEST, LAVA, EMPIRE, "hex-a-hop_music-game-1.ogg")[number % 4]
        shutil.copy(songs[name], folder / "disc 1" / f"{number + 1} {name}")
    for name in ("cover.jpg", ".hidden.ogg", "notes.txt"):
        (folder / name).write_text("not a song")
    page.drop(folder)
    page.wait_until_done(20)
    assert page.text("#notice") == "2 files left out: not audio."
    assert page.text("#summary") == "20 songs"
    assert [name.split()[0] for name in page.names()] == [str(number + 1) for number in range(20)]

    page.click('[data-sort="key"]')
    camelot = page.texts("#rows .code")
    # Round the circle from the top: C major, G major, then the minor keys at their places.
    assert camelot == ["8B"] * 5 + ["9B"] * 5 + ["5A"] * 5 + ["7A"] * 5
    page.click('[data-sort="confidence"]')
    sure = [int(text.split()[0]) for text in page.texts("#rows td.sure")]
    assert sure == sorted(sure, reverse=True)
    assert page.find("thead th.sure").get_attribute("aria-sort") == "descending"
    page.click('[data-sort="name"]')
    page.click('[data-sort="name"]')
    assert page.names()[0].startswith("20 ")

    page.click("#suggest")
    assert page.text("#order-words").startswith("17 of 19 changes mix")
    keys = page.texts("#rows .code")
    assert min(keys, keys[::-1]) == ["5A"] * 5 + ["7A"] * 5 + ["8B"] * 5 + ["9B"] * 5
    assert page.texts("#rows .step.jump") == ["2 steps away"] * 2

    playlist = page.download("#export-m3u", "keys.m3u8").decode().splitlines()
    assert playlist[0] == "#EXTM3U"
    assert playlist[2::2] == [f"album/disc 1/{name}" for name in page.names()]
    assert playlist[1].startswith("#EXTINF:45,")


def test_the_table_exports_as_csv(page: Page, songs: dict[str, Path], tmp_path: Path) -> None:
    odd = tmp_path / 'a "name", with ♭ and commas.ogg'
    shutil.copy(songs[LAVA], odd)
    page.drop(odd, songs["silent.wav"], songs["broken.mp3"])
    page.wait_until_done(3)
    text = page.download("#export-csv", "keys.csv").decode()
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows[odd.name]["key"] == "C minor"
    assert rows[odd.name]["camelot"] == "5A"
    assert 0.9 < float(rows[odd.name]["confidence"]) <= 1
    assert float(rows[odd.name]["seconds"]) == pytest.approx(45, abs=0.1)
    assert rows["silent.wav"]["reason"] == "silent"
    assert rows["silent.wav"]["confidence"] == rows["silent.wav"]["key"] == ""
    assert "decoded" in rows["broken.mp3"]["error"]


def test_no_name_is_a_formula_in_a_spreadsheet(page: Page, songs: dict[str, Path], tmp_path: Path) -> None:
    names = ["=1+1.wav", "+1.wav", "-1.wav", "@SUM(1;2).wav", " =2.wav", "\uff1d3.wav", "\t=4.wav"]
    plain = ["1-1.wav", "'.wav", "a;=5.wav"]
    for name in [*names, *plain]:
        shutil.copy(songs["silent.wav"], tmp_path / name)
    page.drop(*(tmp_path / name for name in [*names, *plain]), songs[EMPIRE])
    page.wait_until_done(len(names) + len(plain) + 1)
    text = page.download("#export-csv", "keys.csv").decode()
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert set(rows) == {f"'{name}" for name in names} | {*plain, EMPIRE}
    assert '"a;=5.wav",' in text
    # A number below zero stays a number.
    assert -5 < float(rows[EMPIRE]["tuning_cents"]) < 0


def test_songs_are_removed_and_not_added_twice(page: Page, songs: dict[str, Path]) -> None:
    page.drop(songs[WEST], songs[LAVA])
    page.wait_until_done(2)
    page.drop(songs[WEST])
    page.wait(lambda: page.text("#notice") == "1 file already in the list.")
    page.click("#rows tr:first-child .cross")
    page.wait(lambda: page.names() == [WEST])
    assert page.script("return document.activeElement.className") == "open"
    page.click("#clear")
    page.wait(lambda: page.find("#welcome").is_displayed())


def test_files_are_chosen_in_a_dialog(page: Page, songs: dict[str, Path]) -> None:
    page.find("#files").send_keys("\n".join(str(songs[name]) for name in (WEST, LAVA)))
    page.wait_until_done(2)
    assert page.names() == [LAVA, WEST]
    page.click("#next")
    page.wait(lambda: page.text("#song-name") == WEST)


def test_view_shows_one_song_and_ends_when_it_is_closed(browser: Page, songs: dict[str, Path]) -> None:
    with serving("view", str(songs[EMPIRE]), "--no-browser") as (found, process):
        browser.open(found)
        browser.wait_until_done(1)
        assert browser.text("#key") == "D minor"
        browser.click("#play")
        browser.wait(lambda: browser.script("return audio.currentTime > 0.1"))
        assert process.poll() is None
        browser.driver.get("about:blank")
        # Not at once: a page that is loaded again has been closed, too.
        assert process.wait(PATIENCE) == 0
