"""A short run of all fuzz targets, by chance alone, and what longer runs with atheris have found."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import audio, tags, texts
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS
from tests.tfkey.tags.building import comments, frame, tag
from tfkey.tags import formats
from tfkey.tags.fields import key_texts
from tfkey.tags.patches import Source, UntaggableError

ROOT = Path(__file__).parents[2]
INPUTS = 300


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run(name: str) -> None:
    target, chance = TARGETS[name], random.Random(7)
    seeds = target.seeds()
    for data in seeds + [mutated(seeds, chance, target.longest) for _ in range(INPUTS)]:
        try:
            target.check(data)
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}, by {data!r}")


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_names_a_module_that_is_there(name: str) -> None:
    assert (ROOT / f"{TARGETS[name].module.replace('.', '/')}.py").is_file()


def test_the_command_runs_without_atheris() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "mpeg", "--random", "--runs", "50"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("50 inputs in ")
    assert done.stdout.endswith("nothing found\n")


def nested(depth: int) -> bytes:
    """A movie whose boxes lie in each other."""
    inner = b""
    for _ in range(depth):
        inner = tags.box(b"trak", inner)
    return tags.box(b"ftyp", b"M4A ") + tags.box(b"moov", inner) + tags.box(b"mdat", bytes(99))


def unknown_length(value: bytes) -> bytes:
    """A WMA whose file properties state an impossible length."""
    data = tags.asf("Title")
    place = data.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    return data[: place + 40] + value + data[place + 48 :]


PROPERTIES_AT_THE_END = audio.headers.ASF + bytes(14) + bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
NO_FOOTER = b"ID3\4\0\x10\0\0\0\x0f" + frame("TIT2", b"\0song", 4) + audio.MP3
HIDES_FRAMES = tag(3, b"\0\0\0\x56\x80\0" + bytes(84) + frame("TIT2", b"\0song"), 0xC0) + audio.MP3
CAF_RATES = [
    audio.CAF.replace(struct.pack(">d", 8000.0), struct.pack(">d", rate)) for rate in (-1.0, float("nan"))
]
FOUND = {
    "ASF properties at the end of the file": ("containers", PROPERTIES_AT_THE_END),
    "a damaged rate in CAF": ("chunks", CAF_RATES[0]),
    "a rate in CAF that is no number": ("chunks", CAF_RATES[1]),
    "a footer that is announced and missing": ("id3", NO_FOOTER),
    "boxes without end": ("mp4-tags", nested(3000)),
    "ASF of a length of all ones": ("asf-tags", unknown_length(b"\xff" * 8)),
    "ASF of almost all ones": ("asf-tags", unknown_length(b"\xf0" + b"\xff" * 7)),
    "a number of 5000 digits in a PLS": ("playlists", b"[playlist]\nFile" + b"1" * 5000 + b"=a\nFile2=b\n"),
    "NUL in a URL": ("playlists", b"file:///a%00/b\na%00/b\n"),
    "quotes behind a blank in the first cell": ("key-tables", b' "key",path\nAm,x\n'),
}


@pytest.mark.parametrize(("target", "data"), FOUND.values(), ids=list(FOUND))
def test_what_was_found(target: str, data: bytes) -> None:
    TARGETS[target].check(data)


MEGABYTE = 1 << 20
SLOW = {
    # Each took from seconds to hours, growing with the square of the length.
    "damaged chunk behind damaged chunk": (
        "chunks", b"RIFF\0\0\0\0WAVE" + b"fmt \0\0\0\0\1\1\1\1" * (MEGABYTE // 12),
    ),
    "damage behind every page of Ogg": ("ogg", (audio.page(0, 2, b"") + b"damage") * (MEGABYTE // 34)),
    "accents in the wrong order": ("keys", ("a" + "\u0301\u0316" * (MEGABYTE // 4)).encode()),
    "a path of many folders": ("playlists", b"C:/" + b"music/" * (MEGABYTE // 6)),
    "a picture in the comments of Ogg": (
        "ogg-tags",
        b"".join(
            audio.page(number, 2 * (number == 0), part)
            for number, part in enumerate(
                [b"OpusHead", *(
                    (b"OpusTags" + comments(b"PICTURE=" + bytes(MEGABYTE)))[start : start + 255 * 254]
                    for start in range(0, MEGABYTE + 80, 255 * 254)
                )]
            )
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("target", "data"), SLOW.values(), ids=list(SLOW))
def test_what_was_slow(target: str, data: bytes) -> None:
    """That these end is all that is asserted; audio also counts what is read of the file."""
    TARGETS[target].check(data)


def test_objects_of_other_programs_keep_their_name_and_content() -> None:
    """A general object called "InitialKey" once was replaced by a broken one."""
    other = frame("GEOB", b"\0text/plain\0\0InitialKey\0whatever a program keeps there")
    data = tag(3, other) + audio.MP3
    assert not key_texts(formats.plan(Source(audio.Counting(data)), None).fields)
    new = tags.patched(data, formats.plan(Source(audio.Counting(data)), tags.KEY).patches)
    assert other in new
    assert new.endswith(audio.MP3)


def test_sound_behind_a_missing_footer_stays() -> None:
    new = tags.patched(NO_FOOTER, formats.plan(Source(audio.Counting(NO_FOOTER)), tags.KEY).patches)
    assert new.endswith(audio.MP3)
    assert [text for _, text in key_texts(formats.plan(Source(audio.Counting(new)), None).fields)] == [
        tags.KEY
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"RIFFtext\xff\xfeA\0 with a mark of UTF-16 near its end",
        b"nothing that is known \xff\xfb\0\0" + bytes(500),
        b"nothing that is known \xff\xf3\x14\xc4" + bytes(10),
    ],
    ids=["a mark", "a free rate", "one frame at the end"],
)
def test_a_header_by_chance_makes_no_mp3(data: bytes) -> None:
    with pytest.raises(UntaggableError, match="a file of unknown format"):
        formats.plan(Source(audio.Counting(data)), tags.KEY)


def test_an_extended_header_that_hides_the_frames_is_refused() -> None:
    with pytest.raises(UntaggableError, match="in the extended header"):
        formats.plan(Source(audio.Counting(HIDES_FRAMES)), None)


def test_names_of_entries_with_nul_are_told() -> None:
    (entry,) = texts.parse_playlist(b"file:///a%00b\n", texts.FOLDER / "list.m3u")
    assert entry.name == "file:///a%00b"
    assert entry.path is not None
    assert "\0" not in str(entry.path)


def test_entries_of_a_pls_are_in_the_order_of_their_numbers() -> None:
    content = b"[playlist]\nFile10=c\nFile002=b\nFile1=a\nFile" + b"9" * 5000 + b"=d\n"
    assert [entry.name for entry in texts.parse_playlist(content, texts.FOLDER / "a.pls")] == list("abcd")


def test_the_first_column_may_be_quoted_behind_a_blank() -> None:
    path = texts.InMemory("keys.csv")
    path.content = b' "path","key"\nsong.wav,A minor\n'
    (row,) = texts.read_rows(path, ("path",), ("key",))
    assert (row.name, row.key_text) == ("song.wav", "A minor")
