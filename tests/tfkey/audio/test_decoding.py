"""Files that one decoder does not read to their end, and those that change on the way."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.media import chord, encode
from tfkey.audio import decoding, libsndfile
from tfkey.audio.readers import UndecodableError
from tfkey.audio.reading import blocks, read, read_up_to
from tfkey.errors import AudioError

RATE = 44100
Form = tuple[int, int]  # sample rate, channels
SECONDS = 1.5


def tone(rate: int, channels: int, pitch: float) -> np.ndarray:
    time = np.arange(round(SECONDS * rate)) / rate
    return np.repeat(np.sin(2 * np.pi * pitch * time)[:, np.newaxis] / 3, channels, axis=1).astype(np.float32)


def by_libsndfile(container: str, subtype: str) -> Callable[[Path, np.ndarray, int], object]:
    return lambda path, sound, rate: soundfile.write(path, sound, rate, subtype, format=container)


def by_ffmpeg(codec: str, container: str) -> Callable[[Path, np.ndarray, int], object]:
    def make(path: Path, sound: np.ndarray, rate: int) -> None:
        layout = "stereo" if sound.shape[1] == 2 else "mono"
        encode(path, codec, sound, rate, layout=layout, container=container)

    return make


PITCHES = (330.0, 660.0, 1320.0)
# Several files one behind the other: how each is made, and their rates and channels.
JOINED = {
    "MP3": (by_libsndfile("MP3", "MPEG_LAYER_III"), [(44100, 2), (44100, 2)]),
    "MP3, to mono": (by_libsndfile("MP3", "MPEG_LAYER_III"), [(44100, 2), (44100, 1), (44100, 2)]),
    "MP3, to another rate": (by_libsndfile("MP3", "MPEG_LAYER_III"), [(48000, 2), (32000, 1), (22050, 2)]),
    "AAC": (by_ffmpeg("aac", "adts"), [(44100, 2), (44100, 2)]),
    "AAC, to another form": (by_ffmpeg("aac", "adts"), [(48000, 2), (32000, 1)]),
    "Vorbis": (by_libsndfile("OGG", "VORBIS"), [(44100, 2), (44100, 2)]),
    "Vorbis, to another form": (by_libsndfile("OGG", "VORBIS"), [(22050, 1), (48000, 2), (44100, 1)]),
    "Opus": (by_libsndfile("OGG", "OPUS"), [(48000, 2), (48000, 2)]),
    "Opus, to mono": (by_libsndfile("OGG", "OPUS"), [(48000, 2), (48000, 1)]),
    "Ogg FLAC": (by_ffmpeg("flac", "ogg"), [(44100, 2), (44100, 2)]),
    "Ogg FLAC, to another form": (by_ffmpeg("flac", "ogg"), [(44100, 2), (48000, 1)]),
    "FLAC": (by_libsndfile("FLAC", "PCM_16"), [(44100, 2), (44100, 2)]),
    "FLAC, to another form": (by_libsndfile("FLAC", "PCM_16"), [(44100, 2), (48000, 1)]),
}
TAGS = {
    "plain": (b"", b""),
    "tagged": (b"ID3\3\0\0\0\0\3\0" + bytes(384), b"TAG" + bytes(125)),
}


def parts(
    folder: Path, make: Callable[[Path, np.ndarray, int], object], forms: Sequence[Form]
) -> list[bytes]:
    contents = []
    for (rate, channels), pitch in zip(forms, PITCHES, strict=False):
        make(folder / "part", tone(rate, channels, pitch), rate)
        contents.append((folder / "part").read_bytes())
    return contents


def pitch_of(sound: np.ndarray) -> float:
    """The strongest frequency in Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(sound.size)))) * RATE / sound.size)


def check_parts(path: Path, count: int, slack: float = 0.12) -> None:
    """Each part has its length, its pitch and its level."""
    found = read_up_to(path, RATE, 1 << 30)
    assert found.waveform is not None
    assert found.samples / RATE == pytest.approx(count * SECONDS, abs=count * slack)
    np.testing.assert_array_equal(np.concatenate([part.copy() for part in blocks(path)]), found.waveform)
    for number in range(count):
        middle = round((number + 0.5) * found.samples / count)
        cut = found.waveform[middle - RATE // 4 : middle + RATE // 4]
        assert pitch_of(cut) == pytest.approx(PITCHES[number], rel=0.02)
        assert np.abs(cut).max() == pytest.approx(1 / 3, rel=0.15)


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("name", JOINED)
def test_joined_files(tmp_path: Path, name: str, tags: str) -> None:
    make, forms = JOINED[name]
    before, behind = TAGS[tags]
    if tags != "plain" and name[:3] not in ("MP3", "AAC"):
        before = behind = b""
    path = tmp_path / "joined.dat"
    path.write_bytes(b"".join(before + content + behind for content in parts(tmp_path, make, forms)))
    check_parts(path, len(forms))
    assert read_up_to(path, RATE, 1 << 30).warning is None


@pytest.mark.parametrize("tags", TAGS)
def test_mp3_without_a_length(tmp_path: Path, tags: str) -> None:
    """Of a variable bit rate, which libsndfile takes for that of the first frame."""
    sound = np.concatenate(
        [np.zeros((RATE, 2)), tone(RATE, 2, 330), np.random.default_rng(0).normal(0, 0.1, (RATE, 2))]
    )
    path = tmp_path / "a.mp3"
    with soundfile.SoundFile(
        path, "w", RATE, 2, format="MP3", bitrate_mode="VARIABLE", compression_level=0.3
    ) as out:
        out.write(sound)
    whole = read(path)
    before, behind = TAGS[tags]
    content = re.sub(b"Xing|Info", b"----", path.read_bytes())
    path.write_bytes(before + content[content.index(b"\xff\xfb") :] + behind)
    assert read(path).size == pytest.approx(whole.size, abs=4000)


@pytest.fixture
def gives_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """libsndfile, but giving up after some blocks."""
    original = libsndfile.SndfileReader.blocks

    def set_up(after: int) -> None:
        def blocks(self):
            yield from itertools.islice(original(self), after)
            raise UndecodableError("malformed")

        monkeypatch.setattr(libsndfile.SndfileReader, "blocks", blocks)

    return set_up


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_another_decoder_goes_on(
    tmp_path: Path, gives_up: Callable[[int], None], suffix: str, after: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, (6 * RATE, 1)).cumsum(axis=0) * 0.003
    soundfile.write(path, sound, RATE)
    whole = read(path)
    gives_up(after)
    found = read_up_to(path, RATE, 1 << 30)
    assert found.warning is None
    assert found.waveform is not None
    assert found.samples == pytest.approx(whole.size, abs=60)
    # Without a gap or an overlap where one hands over to the other.
    np.testing.assert_allclose(found.waveform[: 5 * RATE], whole[: 5 * RATE], atol=0.01)


def test_where_no_decoder_goes_on(tmp_path: Path, monkeypatch, gives_up) -> None:
    soundfile.write(tmp_path / "a.flac", chord(9), RATE)
    gives_up(1)

    def refuse(*_: object) -> None:
        raise UndecodableError("no such format", is_vague=True)

    monkeypatch.setattr(decoding, "ContainerReader", refuse)
    with pytest.raises(AudioError, match=r"truncated \(1.5 of 9.0 s\); copy it again"):
        read(tmp_path / "a.flac")
    found = read_up_to(tmp_path / "a.flac", RATE, 1 << 30, cut=True)
    assert (found.samples, found.warning) == (libsndfile.BLOCK, "truncated (1.5 of 9.0 s)")


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "opus", "wav"])
def test_cut_files_are_read_up_to_the_cut(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 12 * 48000)
    soundfile.write(path, noise, 48000, **({"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}))
    assert read_up_to(path, RATE, 1 << 30, cut=True).warning is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = read_up_to(path, RATE, 1 << 30, cut=True)
    assert found.samples / RATE == pytest.approx(6, abs=1.2)
    assert (found.warning or "").startswith("truncated (")
    assert sum(part.size for part in blocks(path, cut=True)) == found.samples
    for strict in (read, lambda path: list(blocks(path))):
        with pytest.raises(AudioError, match="truncated"):
            strict(path)
    # Next to nothing is no music.
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 30])
    with pytest.raises(AudioError, match=r"truncated|cannot be decoded"):
        read_up_to(path, RATE, 1 << 30, cut=True)


def test_an_ogg_cut_between_two_pages_may_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, chord(6), RATE)
    content = path.read_bytes()
    # Without the last page, no other is marked as the end.
    path.write_bytes(content[: content.rindex(b"OggS")])
    found = read_up_to(path, RATE, 1 << 30)
    assert found.samples > RATE
    assert found.warning == "the end of the Ogg stream is not marked; it may be cut"


def test_an_mp3_whose_header_states_a_wrong_length(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, chord(3), RATE)
    content = path.read_bytes()
    whole = read(path).size
    place = max(content.find(b"Xing"), content.find(b"Info")) + 8
    frames = int.from_bytes(content[place : place + 4], "big")
    for stated in (frames // 3, frames * 3):
        path.write_bytes(content[:place] + stated.to_bytes(4, "big") + content[place + 4 :])
        found = read_up_to(path, RATE, 1 << 30)
        assert (found.samples, found.warning) == (pytest.approx(whole, abs=3000), None)


@pytest.mark.parametrize("suffix", ["mp3", "aac"])
def test_a_stream_without_a_length_that_ends_in_a_frame(tmp_path: Path, suffix: str) -> None:
    path = encode(tmp_path / f"a.{suffix}", {"mp3": "libmp3lame", "aac": "aac"}[suffix], chord(4, RATE, 2),
                  container={"mp3": "mp3", "aac": "adts"}[suffix])  # fmt: skip
    content = re.sub(b"Xing|Info", b"----", path.read_bytes())
    path.write_bytes(content)
    assert read_up_to(path, RATE, 1 << 30).warning is None
    path.write_bytes(content[: len(content) // 2 + 101])
    found = read_up_to(path, RATE, 1 << 30)
    assert found.samples / RATE == pytest.approx(2.0, abs=0.2)
    assert found.warning == "it ends in the middle of a frame; it may be cut"


@pytest.mark.parametrize("suffix", ["mp3", "aac", "ogg", "flac"])
def test_bytes_that_belong_to_nothing(tmp_path: Path, suffix: str) -> None:
    """Zeros of a download that was prepared for, headers of a server, pictures."""
    path = tmp_path / f"a.{suffix}"
    if suffix == "aac":
        encode(path, "aac", chord(4, RATE, 2), container="adts")
    else:
        soundfile.write(path, chord(4, RATE, 2), RATE)
    content = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, 20000, np.uint8).tobytes()
    whole = read(path).size
    for before, behind in (
        (bytes(70000), b""), (b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n", b""),
        (noise, b""), (b"", bytes(100_000)), (b"", noise[:3000]),
    ):  # fmt: skip
        path.write_bytes(before + content + behind)
        assert read(path).size == pytest.approx(whole, abs=3000)
