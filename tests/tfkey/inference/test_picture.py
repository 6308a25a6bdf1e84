"""Pictures of songs: what is drawn where, and that nothing odd breaks them."""

from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle, Wedge
from PIL import Image

from tfkey.audio.recordings import Waveform
from tfkey.errors import MissingExtraError, TfkeyError, UsageError
from tfkey.inference import picture
from tfkey.inference.drawing import song_figure
from tfkey.inference.estimator import NO_TONES, SILENT, Estimate
from tfkey.inference.key_over_time import Segment
from tfkey.inference.picture import picture_names, shown_name, write_picture
from tfkey.inference.portrait import Portrait, portrait
from tfkey.keys import KEYS, Key, Notation
from tfkey.spectrogram.parameters import Features

FEATURES = Features(
    sample_rate=22050, hop_length=4096, fmin=32.70319566, n_bins=192, bins_per_octave=24,
    filter_scale=1.0, db_min=0.0, db_max=55.4, floor="soft",
)  # fmt: skip


def a_song(seconds: float = 100.0, **changes) -> tuple[Estimate, Portrait]:
    """A song in F minor that goes to C minor and its relative, with a pause."""
    probabilities = np.full(24, 0.002)
    probabilities[Key.parse("Fm").index] = 1 - 23 * 0.002 - 0.2
    probabilities[Key.parse("Ab").index] += 0.2
    parts = [("Fm", 0.9), ("Cm", 0.5), (None, 0.1), ("Eb", 0.7), ("Fm", 0.8)]
    edges = np.linspace(0, seconds, len(parts) + 1).tolist()
    segments = tuple(
        Segment(start, end, None if key is None else Key.parse(key), confidence)
        for start, end, (key, confidence) in zip(edges, edges[1:], parts, strict=False)
    )
    estimate = Estimate(
        Key.parse("Fm"), probabilities, float(probabilities.max()), None, -12.3, seconds, segments
    )
    levels = np.random.default_rng(0).integers(0, 256, (300, 192), np.uint8)
    ramp = np.linspace(0.1, 0.8, 600, dtype=np.float32)
    drawn = Portrait(-ramp, ramp, levels, seconds, 32.70319566, 24)
    return dataclasses.replace(estimate, **changes), drawn


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def labels(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def test_everything_is_said():
    figure = song_figure(*a_song(), "a song.mp3")
    said = texts(figure)
    assert said[:4] == [
        "F minor", "75 %", "a song.mp3",
        "Camelot 4A   ·   Open Key 9m   ·   tuned \N{MINUS SIGN}12 cents from A4 = 440 Hz   ·   1:40",
    ]  # fmt: skip
    waveform, spectrogram, over_time = figure.axes[1:4]
    assert labels(waveform.yaxis) == ["peak\n\N{MINUS SIGN}2 dB"]
    assert labels(spectrogram.yaxis) == [f"C{octave}" for octave in range(1, 9)]
    assert spectrogram.get_yticks()[3] == pytest.approx(72, abs=1e-3)
    assert labels(over_time.xaxis)[:3] == ["0:00", "0:10", "0:20"]
    assert not any(label.get_visible() for label in spectrogram.get_xticklabels() if label.get_text())
    for axes in (waveform, spectrogram, over_time):
        assert axes.get_xlim() == (0, 100)


def test_spectrogram_is_dark_where_it_is_loud():
    estimate, drawn = a_song()
    levels = np.zeros((300, 192), np.uint8)
    levels[:100, 96:] = 255
    (image,) = song_figure(estimate, dataclasses.replace(drawn, spectrogram=levels), "").axes[2].images
    shown = np.asarray(image.get_array())[..., :3].sum(axis=2)
    assert (shown[96:, :100] < 200).all()
    assert (shown[:96] == 3 * 255).all()
    assert (shown[:, 100:] == 3 * 255).all()
    assert image.origin == "lower"


def test_segments_are_in_the_lane_of_their_key():
    figure = song_figure(*a_song(), "")
    axes = figure.axes[3]
    # Neighbours on the circle, the sharpest on top; Eb major is the relative of C minor.
    names = labels(axes.yaxis)
    assert names == ["Eb", "Cm", "Fm"]
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_height() < 0.9]
    found = [
        (round(bar.get_x()), round(bar.get_x() + bar.get_width()), names[round(bar.get_y() + 0.42)])
        for bar in bars
    ]
    assert found == [(0, 20, "Fm"), (20, 40, "Cm"), (60, 80, "Eb"), (80, 100, "Fm")]
    # The more certain, the darker; minor is blue and major is not.
    brightness = [sum(to_rgb(bar.get_facecolor())) for bar in bars]
    assert brightness[0] < brightness[3] < brightness[1]
    assert [to_rgb(bar.get_facecolor())[2] > to_rgb(bar.get_facecolor())[0] for bar in bars] == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        # The circle is cut in its longest gap, wherever that is.
        (["B", "Gb", "Db"], ["Db", "Gb", "B"]),
        (["F", "C", "G"], ["G", "C", "F"]),
        (["Am", "C", "Em"], ["Em", "C", "Am"]),
        (["Bb"], ["Bb"]),
    ],
)
def test_lanes_follow_the_circle(keys, order):
    segments = tuple(Segment(place, place + 1, Key.parse(key), 0.5) for place, key in enumerate(keys))
    figure = song_figure(*a_song(3.0, segments=segments), "")
    assert labels(figure.axes[3].yaxis) == order


def test_circle_has_all_probabilities():
    estimate, drawn = a_song()
    axes = song_figure(estimate, drawn, "").axes[4]
    wedges = [patch for patch in axes.patches if isinstance(patch, Wedge)]
    assert len(wedges) == 24
    words = [(text.get_text(), np.array(text.get_position())) for text in axes.texts]
    for key in KEYS:
        (place,) = [where for text, where in words if text == key.short]
        probability = min((np.linalg.norm(where - place), text) for text, where in words if text[-1] == "%")[
            1
        ]
        expected = f"{100 * estimate.probabilities[key.index]:.1f}"
        assert probability in (f"{expected} %", f"{float(expected):.0f} %")
    angles = {text: np.degrees(np.arctan2(*place[::-1])) for text, place in words}
    assert angles["G"] == pytest.approx(60, abs=5)
    assert angles["Em"] == pytest.approx(60, abs=5)
    (outlined,) = [wedge for wedge in wedges if wedge.get_linewidth() > 1]
    assert (outlined.theta1 + outlined.theta2) / 2 == 90 - 30 * 8


@pytest.mark.parametrize(
    ("notation", "words"),
    [
        (Notation.CAMELOT, ["4A", "75 %", "F minor", "Open Key 9m"]),
        (Notation.OPENKEY, ["9m", "F minor", "Camelot 4A"]),
        (Notation.SHORT, ["Fm", "Camelot 4A", "Open Key 9m"]),
    ],
)
def test_notations(notation, words):
    said = " ".join(texts(song_figure(*a_song(), "", notation)))
    assert all(word in said for word in words)
    assert ("F minor" in said) == ("F minor" in words)


@pytest.mark.parametrize(
    ("reason", "knows"), [(SILENT, 0), (NO_TONES, 0), ("confidence 0.40 is below 0.5", 1)]
)
def test_without_a_key(reason, knows):
    part = (Segment(0.0, 100.0, None, 0.1),)
    figure = song_figure(*a_song(key=None, reason=reason, segments=part, tuning_cents=None), "a.mp3")
    said = texts(figure)
    assert said[:4] == ["No key", reason, "a.mp3", "1:40"]
    assert any(text.endswith("%") for text in said[4:]) == knows
    assert labels(figure.axes[3].yaxis) == ["no key"]


def test_certainty_is_never_claimed():
    probabilities = np.zeros(24)
    probabilities[0] = 1.0
    said = texts(song_figure(*a_song(key=KEYS[0], probabilities=probabilities, confidence=1.0), ""))
    assert "99 %" in said
    assert not any("100 %" in text or text == "0 %" for text in said)


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        (1 / 22050, "0.000000 s", "0.000045 s"),
        (0.1, "0.00 s", "0.10 s"),
        (3.0, "0.0 s", "3.0 s"),
        (45.0, "0:00", "0:45"),
        (36000.0, "0:00:00", "10:00:00"),
        (5e6, "0:00:00", "1296:00:00"),
    ],
)
def test_time_axis(seconds, first, last):
    ticks = labels(song_figure(*a_song(seconds), "").axes[3].xaxis)
    assert (ticks[0], ticks[-1]) == (first, last)
    assert 3 <= len(ticks) <= 11
    assert len(set(ticks)) == len(ticks)


@pytest.mark.parametrize("samples", [1, 2, 2205, 22050])
def test_short_recordings(tmp_path, samples):
    sound = np.linspace(-0.5, 0.5, samples, dtype=np.float32)
    estimate = dataclasses.replace(a_song()[0], seconds=samples / 22050, segments=())
    write_picture(tmp_path / "a.png", estimate, portrait(Waveform(sound), FEATURES), "a.wav")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (1400, 850)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_files_are_of_their_kind_and_always_the_same(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    write_picture(path, *a_song(), "a.mp3")
    content = path.read_bytes()
    assert content.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix.lower()])
    assert b"F minor" in content
    # A style of the user's own changes nothing.
    with matplotlib.rc_context({"text.color": "white", "savefig.facecolor": "black", "font.size": 30}):
        write_picture(path, *a_song(), "a.mp3")
        assert matplotlib.rcParams["font.size"] == 30
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name",
    [
        "$x_1$ {\\frac",
        "two\nlines\r",
        "a\udcff\udcfe.mp3",
        "日本語の歌",
        "\x1b[31m\u202e\u2028",
        "",
        "a" * 255,
    ],
)
@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_names_of_any_letters(tmp_path, name, suffix):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_picture(tmp_path / f"a{suffix}", *a_song(warning=name), name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a song.mp3", "a song.mp3"),
        ("two\nlines \t x", "two lines x"),
        ("a\u202eb", "a b"),
        ("x" * 84, "x" * 84),
        ("x" * 50 + "y" * 50, "x" * 42 + "…" + "y" * 41),
        ("日" * 84, "日" * 21 + "…" + "日" * 20),
        *([(os.fsdecode(b"a\xff.mp3"), "a\ufffd.mp3")] if os.name == "posix" else []),
    ],
)  # fmt: skip
def test_shown_names(name, shown):
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/x.mp3", "b/y.flac"], ["x.png", "y.png"]),
        (["x.mp3", "x.flac", "y.mp3"], ["x.mp3.png", "x.flac.png", "y.png"]),
        (["a/x.mp3", "b/x.mp3", "c/X.mp3"], ["x.mp3.png", "x.mp3 2.png", "X.mp3 3.png"]),
        # What would be somebody else's name is left to him.
        (["x.mp3", "x.flac", "x.mp3.wav"], ["x.mp3 2.png", "x.flac.png", "x.mp3.png"]),
        (["a/x", "b/x"], ["x.png", "x 2.png"]),
        (["a/\u00e9.mp3", "b/e\u0301.mp3"], ["\u00e9.mp3.png", "e\u0301.mp3 2.png"]),
        ([".mp3", "a."], [".mp3.png", "a..png"]),
        ([], []),
    ],
)
def test_picture_names(files, names):
    found = picture_names([Path(file) for file in files])
    assert len({name.casefold() for name in found}) == len(files)
    assert found == names


def test_long_picture_names_differ_and_fit(tmp_path):
    files = [Path("é" * 120 + f"{end}.flac") for end in ("a" * 9, "a" * 8, "b", "aaaaaaaab")]
    names = picture_names([*files, *(Path("other") / file for file in files)])
    assert len(set(names)) == 8
    for name in names:
        (tmp_path / name).touch()


def test_many_files_of_one_name():
    names = picture_names([Path(str(number), "track01.mp3") for number in range(5000)])
    assert len(set(names)) == 5000


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", ".png", "a.png.txt"])
def test_wrong_suffix(tmp_path, name):
    with pytest.raises(UsageError, match=r"give \.png, \.svg, \.pdf"):
        write_picture(tmp_path / name, *a_song(), "")


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TfkeyError, match="cannot be written"):
        write_picture(tmp_path / "file" / "a.png", *a_song(), "")


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setattr(picture.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tfkey\[picture\]'"):
        write_picture(tmp_path / "a.png", *a_song(), "")


def test_no_global_figures(tmp_path):
    write_picture(tmp_path / "a.png", *a_song(), "")
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
