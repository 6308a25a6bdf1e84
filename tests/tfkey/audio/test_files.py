"""Files of other programs: the right key and the right length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfkey.audio.recordings import open_recording
from tfkey.inference.estimator import KeyEstimator

FILES = Path(__file__).parents[2] / "data" / "files"
# What ffmpeg decodes. Where streams are joined it counts padding of the coders.
SECONDS = {
    "flac-id3v1/eac.flac": 2.2,
    "gap-or-late-sound/late.avi": 2.273,
    "gap-or-late-sound/late.mkv": 2.276,
    "gap-or-late-sound/vod.mp4": 3.994,
    "ogg-no-eos/musescore.ogg": 2.206,
    "ogg-no-eos/telegram.opus": 2.214,
    "only-first-part/mono_in_the_middle.mp3": 6.112,
    "only-first-part/radio.ogg": 6.012,
    "opus-by-ffmpeg/five_seconds.opus": 5.0,
    "pyav19-m4a/song.m4a": 2.229,
    "wav-size-zero/crashed.wav": 2.2,
}
KEYS = {"opus-by-ffmpeg/five_seconds.opus": "D minor"}  # as that of the same sound in WAV


@pytest.fixture(scope="module")
def estimator() -> KeyEstimator:
    return KeyEstimator.from_pretrained()


def test_all_are_listed() -> None:
    found = {path.relative_to(FILES).as_posix() for path in FILES.glob("*/*")}
    assert found == set(SECONDS)


@pytest.mark.parametrize("name", SECONDS)
def test_key_and_length(estimator: KeyEstimator, name: str) -> None:
    estimate = estimator.estimate(FILES / name)
    assert estimate.key is not None
    assert estimate.key.long == KEYS.get(name, "A minor")
    assert estimate.seconds == pytest.approx(SECONDS[name], abs=0.05)
    # Nothing is missing, though an Ogg whose end is not marked may be cut for all that can be seen.
    assert (estimate.warning is None) == (not name.startswith("ogg-no-eos"))


@pytest.mark.parametrize("name", SECONDS)
def test_windows_of_a_long_file_are_those_of_a_short_one(name: str) -> None:
    short = open_recording(FILES / name, 16000)
    long = open_recording(FILES / name, 16000, whole_seconds=0.5)
    assert (long.samples, long.warning) == (short.samples, short.warning)
    starts = [0, 5000, 16000]
    for window, expected in zip(long.windows(starts, 20000), short.windows(starts, 20000), strict=True):
        assert window.tolist() == expected.tolist()
