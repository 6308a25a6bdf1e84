"""Sound that libsndfile cannot read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.media import chord, encode
from tfkey.audio.reading import blocks, read, read_up_to
from tfkey.errors import AudioError

RATE = 44100
KINDS = {
    "a.m4a": ("aac", {"container": "mp4"}),
    "fast.m4a": ("aac", {"container": "mp4", "movflags": "faststart"}),
    "pieces.mp4": ("aac", {"movflags": "frag_keyframe+empty_moov"}),
    "lossless.m4a": ("alac", {"container": "mp4"}),
    "a.aac": ("aac", {"container": "adts"}),
    "a.wma": ("wmav2", {"container": "asf"}),
    "a.webm": ("libopus", {"rate": 48000}),
    "opus.mp4": ("libopus", {"rate": 48000}),
    "six.mka": ("flac", {"container": "matroska", "layout": "5.1"}),
    "eight.mka": ("pcm_f32le", {"container": "matroska", "layout": "7.1"}),
    "eight.mp4": ("aac", {"layout": "7.1"}),
    "bytes.mov": ("pcm_u8", {}),
    "film.mp4": ("aac", {"video": True}),
    "film.mkv": ("aac", {"container": "matroska", "video": True}),
    "film.mov": ("pcm_s16be", {"video": True}),
    "film.avi": ("libmp3lame", {"video": True}),
    "a.aifc": ("adpcm_ima_qt", {"container": "aiff"}),
    "named.mp3": ("aac", {"container": "mp4"}),
    "1:2 \udcff.m4a": ("aac", {"container": "mp4"}),
}
CHANNELS = {"5.1": 6, "7.1": 8}
LOSSY = {"aac", "wmav2", "libopus", "libmp3lame", "adpcm_ima_qt", "pcm_u8"}


def make(folder: Path, name: str, seconds: float = 2.0) -> tuple[Path, np.ndarray]:
    """A file of a kind, and its sound in mono at its own rate."""
    codec, options = KINDS[name]
    rate = options.get("rate", RATE)
    sound = chord(seconds, rate, CHANNELS.get(options.get("layout", ""), 2))
    sound[:, 0] *= 0.5
    return encode(folder / name, codec, sound, **options), sound.mean(axis=1)


@pytest.mark.parametrize("name", KINDS)
def test_every_container(tmp_path: Path, name: str) -> None:
    path, sound = make(tmp_path, name)
    codec, options = KINDS[name]
    rate = options.get("rate", RATE)
    waveform = read(path, rate)
    assert waveform.dtype == np.float32
    # Coders delay and pad; not all containers tell by how much.
    most = 4096 if codec in LOSSY else 0
    assert abs(waveform.size - sound.size) <= most
    window = sound[20000:30000]
    parts = np.lib.stride_tricks.sliding_window_view(waveform[20000 - most : 30000 + most], window.size)
    nearest = parts[np.argmin(np.square(parts[:, ::50] - window[::50]).sum(axis=1))]
    np.testing.assert_allclose(nearest, window, atol=0.06 if most else 1e-4)
    np.testing.assert_array_equal(np.concatenate([part.copy() for part in blocks(path, rate)]), waveform)


def test_tags_that_are_not_utf8_do_no_harm(tmp_path: Path) -> None:
    path, _ = make(tmp_path, "fast.m4a")
    content = path.read_bytes()
    assert b"Lavf" in content
    path.write_bytes(content.replace(b"Lavf", b"\xe9\xff\xfe\xf6"))
    assert read(path).size


def test_another_rate(tmp_path: Path) -> None:
    path, sound = make(tmp_path, "lossless.m4a")
    assert abs(read(path, 16000).size - sound.size * 16000 / RATE) <= 1
    encode(tmp_path / "high.mka", "flac", chord(1, 192000, 2), 192000, container="matroska")
    assert read(tmp_path / "high.mka").shape == (RATE,)


@pytest.mark.parametrize(
    "name", ["a.m4a", "fast.m4a", "pieces.mp4", "a.wma", "a.webm", "film.mkv", "film.mov", "film.avi"]
)
@pytest.mark.parametrize("kept", [0.3, 0.95])
def test_cut_file_is_refused(tmp_path: Path, name: str, kept: float) -> None:
    path, _ = make(tmp_path, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    for reading in (read, lambda path: list(blocks(path))):
        with pytest.raises(AudioError, match=f"^{path}: truncated .*; copy it again") as caught:
            reading(path)
        assert "\n" not in str(caught.value)


VIDEOS = {
    "mp4": ("aac", {}),
    "mov": ("pcm_s16le", {}),
    "m4v": ("aac", {"container": "mp4", "movflags": "frag_keyframe+empty_moov"}),
    "mkv": ("aac", {"container": "matroska"}),
    "webm": ("libopus", {"container": "matroska", "rate": 48000}),
    "avi": ("libmp3lame", {}),
    "flv": ("aac", {}),
    "ts": ("aac", {"container": "mpegts"}),
    "mpg": ("mp2", {"container": "mpeg"}),
    "wmv": ("wmav2", {"container": "asf"}),
}
TIMES = {
    "plain": {},
    "late": {"start": 2.5},
    "with a gap": {"gap": (1.0, 3.0)},
    "late and with a gap": {"start": 1.5, "gap": (1.0, 3.0)},
}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(
    ("suffix", "video"),
    # FLV takes no MPEG-4 pictures.
    [(suffix, video) for suffix in VIDEOS for video in (False, True) if (suffix, video) != ("flv", True)],
)
def test_sound_that_is_late_or_has_gaps_is_whole(
    tmp_path: Path, suffix: str, video: bool, times: str
) -> None:
    codec, options = VIDEOS[suffix]
    sound = chord(3.0, options.get("rate", RATE), 2)
    path = tmp_path / f"a.{suffix}"
    encode(path, codec, sound, **options, **TIMES[times], video=video)
    found = read_up_to(path, RATE, 1 << 30)
    assert found.warning is None
    assert found.samples / RATE == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "flv", "avi", "wmv"])
def test_what_is_cut_is_told_from_what_is_late(tmp_path: Path, suffix: str, times: str) -> None:
    codec, options = VIDEOS[suffix]
    sound = chord(3.0, options.get("rate", RATE), 2)
    path = tmp_path / f"a.{suffix}"
    if suffix == "mp4":
        options = {**options, "movflags": "faststart"}
    encode(path, codec, sound, **options, **TIMES[times])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    found = read_up_to(path, RATE, 1 << 30, cut=True)
    assert (found.warning or "").startswith("truncated (")
    assert 1.0 < found.samples / RATE < 2.2
    with pytest.raises(AudioError, match="truncated"):
        read(path)


@pytest.mark.parametrize("start", [0, 22050])
@pytest.mark.parametrize("share", [0.3, 1.0, 3.0])
def test_edit_lists(tmp_path: Path, start: int, share: float) -> None:
    """Of an MP4 that shows a part of what it holds, that part is all there is."""
    path = encode(tmp_path / "a.mp4", "aac", chord(4.0, RATE, 2))
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 12
    length = int.from_bytes(content[place : place + 4], "big")
    content[place : place + 4] = round(length * share).to_bytes(4, "big")
    content[place + 4 : place + 8] = start.to_bytes(4, "big")
    path.write_bytes(content)
    found = read_up_to(path, RATE, 1 << 30)
    assert found.warning is None
    assert found.samples / RATE == pytest.approx(min(4.0 * share, 4.0 - start / RATE), abs=0.1)


def test_what_a_writer_to_a_pipe_leaves(tmp_path: Path) -> None:
    """Sizes of all ones, and a tag of the coding that is no text."""
    path = encode(tmp_path / "a.avi", "aac", chord(3.0, RATE, 2))
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    found = read_up_to(path, RATE, 1 << 30)
    assert (found.samples / RATE, found.warning) == (pytest.approx(3.0, abs=0.1), None)


@pytest.mark.parametrize("size", [0, 1000, 1 << 24])
def test_mp4_whose_data_states_another_size(tmp_path: Path, size: int) -> None:
    path, sound = make(tmp_path, "fast.m4a")
    content = bytearray(path.read_bytes())
    place = content.index(b"mdat")
    content[place - 4 : place] = size.to_bytes(4, "big")
    path.write_bytes(content)
    found = read_up_to(path, RATE, 1 << 30)
    assert (found.samples, found.warning) == (pytest.approx(sound.size, abs=4096), None)


def test_metadata_in_any_bytes(tmp_path: Path) -> None:
    for name in ("a.m4a", "film.mkv", "film.avi"):
        path, sound = make(tmp_path, name)
        content = path.read_bytes()
        assert b"Lavf" in content
        path.write_bytes(content.replace(b"Lavf", b"\xff\xfe\xe9\xf6"))
        assert abs(read(path).size - sound.size) < 4096


def test_rate_that_changes_in_the_middle(tmp_path: Path) -> None:
    """What a broadcast does between two programmes."""
    contents = []
    for number, (rate, layout) in enumerate([(48000, "stereo"), (32000, "mono"), (44100, "stereo")]):
        channels = 1 if layout == "mono" else 2
        path = tmp_path / f"{number}.ts"
        encode(path, "aac", chord(1.0, rate, channels), rate, container="mpegts", layout=layout, start=number)
        contents.append(path.read_bytes())
    path.write_bytes(b"".join(contents))
    assert read(path).size / RATE == pytest.approx(3.0, abs=0.2)
    np.testing.assert_array_equal(np.concatenate([part.copy() for part in blocks(path)]), read(path))


def test_sound_that_ends_before_its_index_says(tmp_path: Path) -> None:
    """The packets are there, but no longer decode."""
    path, _ = make(tmp_path, "fast.m4a", 6)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    middle = start + (len(content) - start) // 2
    content[middle:] = bytes(len(content) - middle)
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"truncated|cannot be decoded"):
        read(path)


@pytest.mark.parametrize(("name", "entry"), [("fast.m4a", b"drms"), ("fast.m4a", b"enca"), ("a.wma", b"")])
def test_protected_file(tmp_path: Path, name: str, entry: bytes) -> None:
    path, _ = make(tmp_path, name)
    content = path.read_bytes()
    if entry:
        content = content.replace(b"mp4a", entry, 1)
    else:
        # The object that holds the comments becomes the one that holds the key's name.
        comments = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")
        assert comments in content
        content = content.replace(comments, bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"), 1)
    path.write_bytes(content)
    with pytest.raises(AudioError, match=f"^{path}: protected by DRM; give a copy without"):
        read(path)


def test_files_without_sound(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "picture.mp3", "JPEG")
    Image.fromarray(noise).save(tmp_path / "picture.m4a", "PNG")
    path, _ = make(tmp_path, "fast.m4a")
    content = path.read_bytes()
    # The one track calls itself something else.
    (tmp_path / "mute.m4a").write_bytes(content.replace(b"soun", b"text", 1).replace(b"mp4a", b"text", 1))
    (tmp_path / "text.m4a").write_text("no music\n" * 400)
    for name, words in {
        "picture.mp3": "no audio stream found in it", "picture.m4a": "no audio stream found in it",
        "mute.m4a": "no audio stream found in it", "text.m4a": "cannot be decoded",
    }.items():  # fmt: skip
        with pytest.raises(AudioError, match=f"^{tmp_path / name}: .*({words}).*; give a") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_long_file_in_little_memory(tmp_path: Path) -> None:
    """Silence, a block of which is a few bytes; decoded whole it would be 170 MB."""
    silence = np.zeros((8000 * 60, 1), np.float32)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8000, 1, subtype="PCM_16") as file:
        for _ in range(90):
            file.write(silence)
    encode(
        tmp_path / "long.mka", "alac", np.tile(silence, (90, 1)), 8000, layout="mono", container="matroska"
    )
    soundfile.write(tmp_path / "short.flac", silence, 8000)
    encode(tmp_path / "short.mka", "alac", silence, 8000, layout="mono", container="matroska")
    script = """
import resource, sys
from tfkey.audio.reading import blocks
def size(path):
    return sum(part.size for part in blocks(path, 8000))
size(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(size(sys.argv[2]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    for suffix in ("flac", "mka"):
        files = [str(tmp_path / f"{name}.{suffix}") for name in ("short", "long")]
        command = [sys.executable, "-c", script, *files]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
        size, grown = map(int, done.stdout.split())
        assert abs(size - 90 * silence.size) <= 4096, done.stderr
        assert grown < 30_000, f"{suffix}: {grown} KiB"
