"""A dataset of recordings with votes, from packages, repositories and folders."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.catalogue.specs import DatasetSpec, load_spec
from pipelines.data_folders import DataFolders
from pipelines.originals.recordings import VotedMusic, voted_music
from tests.corpora import line, make_repository, md5, vote, write_apt_get, write_deb, write_spec
from tfkey.errors import DataError, UsageError
from tfkey.keys import Key

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def _sound(folder: Path, seconds: float, pitch: float = 220.0) -> bytes:
    path = folder / "sound.flac"
    time = np.arange(round(seconds * 8000)) / 8000
    soundfile.write(path, np.sin(2 * np.pi * pitch * time) / 4, 8000)
    return path.read_bytes()


class Corpus:
    """Two packages and a repository, 5 + 3 + 4 + 4 seconds of sound, and their list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first, self.second, self.third = (_sound(folder, 6, pitch) for pitch in (220, 330, 440))
        self.mirror = folder / "mirror"
        self.mirror.mkdir()
        write_deb(self.mirror / "a-package_2.0-1_all.deb", {"usr/a.flac": self.first})
        write_deb(self.mirror / "b-package_2.0-1_all.deb", {"usr/b/b.flac": self.second})
        self.commit = "1" * 40
        if shutil.which("git"):
            self.commit = make_repository(folder / "host/o/n", {"c/c.flac": self.third})

    def spec(self, *more: dict[str, str], **changes: str) -> DatasetSpec:
        """The description; ``changes`` apply to the line about the second package."""
        repository = {"source": "git", "origin": "o/n", "version": self.commit, "path": "c/c.flac"}
        lines = [
            line(path="usr/a.flac", md5=md5(self.first), seconds="5"),
            line(origin="b-package", path="usr/b/b.flac", md5=md5(self.second), start="0.5", seconds="3")
            | changes,
            line(md5=md5(self.third), seconds="2", licence="CC BY 4.0", artist="Ann", **repository),
            line(md5=md5(self.third), start="2.5", seconds="2", **repository),
            *more,
        ]
        url = (self.folder / "host").as_uri()
        return write_spec(self.folder, lines, repositories=f"{url}/{{repository}}")

    def get(self, spec: DatasetSpec, source: Path | None = None) -> VotedMusic:
        """Get what is available."""
        return voted_music(spec, DataFolders(self.folder / "data", "voted"), source=source)

    @property
    def attribution(self) -> list[dict[str, str]]:
        """The lines of attribution.csv."""
        with (self.folder / "data/originals/voted/attribution.csv").open(encoding="utf-8") as stream:
            return list(csv.DictReader(stream))


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    bin_ = write_apt_get(tmp_path / "bin", tmp_path / "mirror")
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    return Corpus(tmp_path)


@needs_git
def test_from_packages_and_repositories(corpus: Corpus) -> None:
    music = corpus.get(corpus.spec())
    assert (music.left_out, music.notes) == ([], [])
    assert music.seconds == music.listed_seconds == 12
    first, second, third, fourth = music.segments
    assert first.path.read_bytes() == corpus.first
    assert (first.group, first.split, first.start, first.seconds) == ("a-package", "train", 0, 5)
    assert (second.group, second.split, second.start, second.seconds) == ("b-package", "validation", 0.5, 3)
    assert (third.group, third.split, third.path) == ("o/n", "train", fourth.path)
    assert fourth.start == 2.5
    assert fourth.source == "o/n/c/c.flac at 2.5 s"
    assert first.votes == {"one": tuple(map(float, vote(0).split()))}
    track = second.track({"one": 1})
    assert (track.split, track.group, track.segment) == ("validation", "b-package", (0.5, 3))
    assert track.vote == second.votes["one"]
    assert track.key == Key.parse("C major")
    assert len({segment.name for segment in music.segments}) == 4
    assert all("/" not in segment.name for segment in music.segments)
    assert [row["origin"] for row in corpus.attribution] == ["a-package", "b-package", "o/n"]
    assert corpus.attribution[2]["licence"] == "CC BY 4.0"
    assert corpus.attribution[2]["artist"] == "Ann"
    assert corpus.attribution[2]["url"].endswith("host/o/n")
    # The second time needs neither apt-get nor git nor what they fetched from.
    shutil.rmtree(corpus.folder / "bin")
    shutil.rmtree(corpus.folder / "host")
    assert corpus.get(corpus.spec()).segments == music.segments


@needs_git
def test_packages_that_are_gone_or_of_another_version(corpus: Corpus) -> None:
    copyright_ = b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n"
    new = {
        "usr/a.flac": corpus.first,
        "usr/b.flac": corpus.second,
        "usr/share/doc/a-package/copyright": copyright_ + b"Copyright: New One\nLicense: MIT\n",
    }
    (corpus.mirror / "a-package_2.0-1_all.deb").unlink()
    (corpus.mirror / "b-package_2.0-1_all.deb").unlink()
    write_deb(corpus.mirror / "a-package_3.0-1_all.deb", new, version="3.0-1")
    changed = line(path="usr/b.flac", md5="f" * 32)
    music = corpus.get(corpus.spec(changed))
    assert [segment.group for segment in music.segments] == ["a-package", "o/n", "o/n"]
    reasons = {item.source: item.reason for item in music.left_out}
    assert "Unable to locate package b-package" in reasons["b-package/usr/b/b.flac"]
    other = "package a-package is version 3.0-1, the votes are on version 1:2.0-1"
    assert reasons["a-package/usr/b.flac"] == f"is another recording (its MD5 differs); {other}"
    assert music.notes == [
        other,
        "dataset voted: 0.0 of 0.0 hours are available; 0.0 hours (36%) are missing",
    ]
    assert (
        corpus.attribution[0] | {"version": "3.0-1", "licence": "MIT", "copyright": "New One"}
        == (corpus.attribution[0])
    )


def test_unreachable_mirrors_are_not_asked_for_every_package(corpus: Corpus) -> None:
    more = [line(origin=f"unreachable{number}", md5=str(number) * 32) for number in range(5)]
    shutil.rmtree(corpus.folder / "host", ignore_errors=True)
    music = corpus.get(corpus.spec(*more))
    assert [segment.group for segment in music.segments] == ["a-package", "b-package"]
    reasons = [item.reason for item in music.left_out]
    assert sum("Failed to fetch" in reason for reason in reasons) == 3
    assert sum("not tried" in reason for reason in reasons) == 2
    assert sum("o/n: cannot be fetched" in reason for reason in reasons) == 1
    asked = (corpus.folder / "bin/apt.log").read_text().split()
    assert len(asked) == 5


@pytest.mark.parametrize("program", ["apt-get", "git"])
def test_programs_are_checked_before_anything_is_fetched(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    spec = corpus.spec()
    bin_ = corpus.folder / "one"
    bin_.mkdir()
    monkeypatch.setenv("PATH", str(bin_))
    if program == "git":
        shutil.copy(corpus.folder / "bin/apt-get", bin_)
    with pytest.raises(DataError, match=f"{program} is not installed") as caught:
        corpus.get(spec)
    assert caught.value.remedy == "source"
    assert not (corpus.folder / "bin/apt.log").exists()


@pytest.mark.parametrize("layout", ["by origin", "as installed", "links", "zip"])
def test_from_a_folder(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    monkeypatch.setenv("PATH", "")
    source = corpus.folder / "mine"
    places = {
        "by origin": ("a-package/usr/a.flac", "b-package/usr/b/b.flac", "o/n/c/c.flac"),
        "as installed": ("usr/a.flac", "usr/b/b.flac", "c/c.flac"),
        "links": ("debian/a-package/usr/a.flac", "system/usr/b/b.flac", "git/o/n/c/c.flac"),
        "zip": ("usr/a.flac", "b-package/usr/m.pk3", "c/c.flac"),
    }[layout]
    for place, content in zip(places, (corpus.first, corpus.second, corpus.third), strict=True):
        path = source / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    spec = corpus.spec()
    if layout == "zip":
        packed = source / places[1]
        packed.unlink()
        (source / "b").write_bytes(corpus.second)
        shutil.move(shutil.make_archive(str(corpus.folder / "m"), "zip", source, "b"), packed)
        spec = corpus.spec(path="usr/m.pk3.d/b")
    music = corpus.get(spec, source)
    assert music.left_out == []
    assert [segment.start for segment in music.segments] == [0, 0.5, 0, 2.5]
    assert music.segments[1].path.read_bytes() == corpus.second
    assert music.segments[0].path == source / places[0]
    assert len(corpus.attribution) == 3


def test_cut_segments(corpus: Corpus) -> None:
    source = corpus.folder / "mine"
    (source / "cuts").mkdir(parents=True)
    digest = md5(corpus.third)[:12]
    for start, seconds in ((0, 2.0), (2, 1.2)):
        with (source / f"cuts/{digest}-{start}.ogg").open("wb") as stream:
            sound = np.sin(np.arange(round(seconds * 8000)) / 5) / 4
            soundfile.write(stream, sound, 8000, format="OGG", subtype="VORBIS")
    music = corpus.get(corpus.spec(), source)
    # The second one is at least 0.8 seconds too short, which may be due to cutting.
    assert [(segment.start, segment.path.name) for segment in music.segments] == [
        (0, f"{digest}-0.ogg"), (0, f"{digest}-2.ogg")
    ]  # fmt: skip
    assert music.segments[1].source == "o/n/c/c.flac at 2.5 s"
    assert [item.reason for item in music.left_out] == ["is not in the source"] * 2
    assert "67%" in music.notes[0]


def test_changed_files_in_a_folder(corpus: Corpus) -> None:
    source = corpus.folder / "mine"
    for name in ("a-package/usr/a.flac", "usr/b/b.flac"):
        (source / name).parent.mkdir(parents=True)
    (source / "a-package/usr/a.flac").write_bytes(corpus.third)
    with pytest.raises(DataError, match=r"none of its recordings .*a\.flac: the file .* has changed"):
        corpus.get(corpus.spec(), source)
    (source / "usr/b/b.flac").write_bytes(corpus.second)
    assert [segment.group for segment in corpus.get(corpus.spec(), source).segments] == ["b-package"]
    with pytest.raises(DataError, match="no such folder"):
        corpus.get(corpus.spec(), corpus.folder / "nowhere")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"start": "5.5"}, "line 3: the segment from 5.5 to 8.5 s is beyond the end of the file, 6.0 s"),
        ({"seconds": "60"}, "line 3: the segment from 0.5 to 60.5 s is beyond the end"),
        ({"one": vote(0).replace("1.0", "0.5")}, "line 3: votes of one: the probabilities sum to 0.5"),
    ],
)
def test_what_is_wrong_with_a_line(corpus: Corpus, changes: dict[str, str], complaint: str) -> None:
    source = corpus.folder / "mine"
    (source / "usr/b").mkdir(parents=True)
    (source / "usr/a.flac").write_bytes(corpus.first)
    (source / "usr/b/b.flac").write_bytes(corpus.second)
    music = corpus.get(corpus.spec(**changes), source)
    assert [segment.group for segment in music.segments] == ["a-package"]
    assert any(complaint in item.reason for item in music.left_out)


def test_files_that_are_not_audio(corpus: Corpus) -> None:
    source = corpus.folder / "mine"
    (source / "usr/b").mkdir(parents=True)
    (source / "usr/a.flac").write_bytes(corpus.first)
    (source / "usr/b/b.flac").write_bytes(b"text")
    music = corpus.get(corpus.spec(md5=md5(b"text")), source)
    assert [segment.group for segment in music.segments] == ["a-package"]
    assert any("cannot be decoded" in item.reason for item in music.left_out)


def test_other_datasets(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gs_mtg: has no recordings with votes"):
        voted_music(load_spec("gs_mtg"), DataFolders(tmp_path, "gs_mtg"))
