"""The constant-Q transform's values: against the definition in float64, librosa, and its own symmetries."""

from __future__ import annotations

import math
from pathlib import Path

import librosa
import numpy as np
import pytest

from tfkey.spectrogram.cqt import CQT

DATA = Path(__file__).parents[2] / "data"


def definition(x, picked, *, sample_rate, hop_length, fmin, n_bins, bins_per_octave, pad_mode="constant"):
    """The documented sum in float64 for a Hann window and the default scaling, complex ``[picked, bins]``."""
    q = 1 / math.tanh(math.log(2) / bins_per_octave)
    reach = math.ceil(q * sample_rate / fmin)
    padded = np.pad(np.asarray(x, np.float64), (reach, reach + hop_length), mode=pad_mode)
    result = np.zeros((len(picked), n_bins), complex)
    for k in range(n_bins):
        f = fmin * 2 ** (k / bins_per_octave)
        length = q * sample_rate / f
        h = math.floor(length / 2)
        t = np.arange(-h, h + 1)
        window = (1 + np.cos(2 * np.pi * t / length)) / 2
        kernel = math.sqrt(length) / window.sum() * window * np.exp(-2j * np.pi * f * t / sample_rate)
        for i, m in enumerate(picked):
            centre = reach + m * hop_length
            result[i, k] = padded[centre - h : centre + h + 1] @ kernel
    return result


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def music(sample_rate, seconds):
    """The first real recording among the test data, at the given rate."""
    files = sorted(p for p in DATA.rglob("*") if p.suffix in {".flac", ".mp3", ".ogg", ".wav"})
    for path in files:
        x, _ = librosa.load(path, sr=sample_rate, duration=seconds, res_type="soxr_hq")
        if len(x) > sample_rate and np.abs(x).max() > 0:
            return x
    return None


def signals(sample_rate, n):
    t = np.arange(n) / sample_rate
    rng = np.random.default_rng(3)
    clicks = np.zeros(n)
    clicks[rng.integers(0, n, 25)] = 1
    clips = {
        "tones": sum(
            np.sin(2 * np.pi * f * t + f) / (1 + i) for i, f in enumerate((41.2, 110, 261.6, 1244.5))
        ),
        "sweep": librosa.chirp(fmin=20, fmax=sample_rate / 2, sr=sample_rate, length=n),
        "clicks": clicks,
        "noise": rng.standard_normal(n),
    }
    recorded = music(sample_rate, n / sample_rate)
    if recorded is not None:
        clips["music"] = np.pad(recorded, (0, n - len(recorded)))
    return clips


PARAMETERS = [
    {"sample_rate": 44100, "hop_length": 2048, "fmin": 65.41, "n_bins": 120, "bins_per_octave": 24},
    {"sample_rate": 44100, "hop_length": 8192, "fmin": 27.5, "n_bins": 216, "bins_per_octave": 36},
    {"sample_rate": 44100, "hop_length": 512, "fmin": 27.5, "n_bins": 108, "bins_per_octave": 12},
    {"sample_rate": 22050, "hop_length": 512, "fmin": 32.7, "n_bins": 84, "bins_per_octave": 12},
    {"sample_rate": 22050, "hop_length": 4096, "fmin": 65.41, "n_bins": 180, "bins_per_octave": 36},
    {"sample_rate": 22050, "hop_length": 1024, "fmin": 27.5, "n_bins": 192, "bins_per_octave": 24},
    # Hops with other prime factors, and with none to decimate by.
    {"sample_rate": 44100, "hop_length": 4410, "fmin": 65.41, "n_bins": 96, "bins_per_octave": 24},
    {"sample_rate": 22050, "hop_length": 1009, "fmin": 65.41, "n_bins": 60, "bins_per_octave": 12},
]


@pytest.mark.parametrize("kw", PARAMETERS, ids=lambda kw: "-".join(str(v) for v in kw.values()))
def test_equals_the_definition(kw):
    n = 5 * kw["sample_rate"] + 77
    clips = signals(kw["sample_rate"], n)
    got = CQT(output="complex", **kw)(np.stack(list(clips.values())).astype(np.float32)).numpy()
    frames = 1 + n // kw["hop_length"]
    assert got.shape == (len(clips), frames, kw["n_bins"])
    # The first and the last frames lie on padding, the rest is everywhere else.
    picked = sorted({0, 1, frames - 2, frames - 1, *np.linspace(2, frames - 3, 6).astype(int)})
    for (name, x), c in zip(clips.items(), got, strict=True):
        wanted = definition(x, picked, **kw)
        assert relative(c[picked], wanted) < 5e-5, name
        assert relative(np.abs(c[picked]), np.abs(wanted)) < 5e-5, name


@pytest.mark.parametrize("kw", PARAMETERS[:6], ids=lambda kw: "-".join(str(v) for v in kw.values()))
def test_agrees_with_librosa(kw):
    rng = np.random.default_rng(5)
    n = 8 * kw["sample_rate"]
    x = music(kw["sample_rate"], 8)
    x = rng.standard_normal(n) if x is None else x
    x = x.astype(np.float32)
    options = {k: v for k, v in kw.items() if k != "sample_rate"}
    theirs = np.abs(librosa.cqt(x, sr=kw["sample_rate"], tuning=0.0, **options)).T
    ours = CQT(**kw)(x[None]).numpy()[0]
    assert ours.shape == theirs.shape
    edge = 1 + math.ceil(0.5 * kw["sample_rate"] / kw["hop_length"])
    ours, theirs = ours[edge:-edge], theirs[edge:-edge]
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=0.01)


@pytest.mark.parametrize(
    "option",
    [
        {"tuning": 0.3},
        {"filter_scale": 0.5},
        {"norm": None},
        {"scale": False},
        {"window": "hamming"},
        {"window": "blackmanharris"},
        {"window": "boxcar", "n_bins": 24},
        {"norm": math.inf},
        {"norm": 2, "scale": False},
    ],
    ids=str,
)
def test_options_mean_what_they_mean_to_librosa(option):
    kw = {"hop_length": 1024, "fmin": 440.0, "n_bins": 36, "bins_per_octave": 24} | option
    octave_gain = option.get("norm", 1) != 1
    if octave_gain:
        # librosa's gain depends on the rate of an octave unless the norm is 1: compare one octave.
        kw["n_bins"] = 24
    x = np.random.default_rng(7).standard_normal(4 * 22050).astype(np.float32)
    theirs = np.abs(librosa.cqt(x, sr=22050, **({"tuning": 0.0} | kw))).T[8:-8]
    ours = CQT(sample_rate=22050, **kw)(x[None]).numpy()[0, 8:-8]
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    gain = np.linalg.norm(ours) / np.linalg.norm(theirs)
    if octave_gain:
        # It may also have decimated before that octave.
        gain = 2 ** ((np.log2(gain) + 0.25) % 0.5 - 0.25)
    assert gain == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("pad_mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("samples", [30000, 700, 2, 1])
def test_padding_is_numpys(pad_mode, samples):
    kw = {"sample_rate": 22050, "hop_length": 512, "fmin": 110.0, "n_bins": 36, "bins_per_octave": 12}
    x = np.random.default_rng(1).standard_normal(samples).astype(np.float32) + 1
    got = CQT(output="complex", pad_mode=pad_mode, **kw)(x[None]).numpy()[0]
    picked = [0, len(got) // 2, len(got) - 1]
    assert relative(got[picked], definition(x, picked, pad_mode=pad_mode, **kw)) < 3e-4


def test_a_tone_at_each_bin_peaks_there_at_the_documented_height():
    layer = CQT(n_bins=60, fmin=130.82, hop_length=4096)
    t = np.arange(44100) / 44100
    tones = np.sin(2 * np.pi * layer.frequencies[:, None] * t).astype(np.float32)
    middle = layer(tones).numpy()[:, 5]
    assert (middle.argmax(1) == np.arange(60)).all()
    assert np.diag(middle) == pytest.approx(np.sqrt(layer.parameters.lengths) / 2, rel=1e-3)


@pytest.mark.parametrize("bins_per_octave", [12, 24, 36])
def test_a_semitone_up_moves_the_picture_by_its_bins(bins_per_octave):
    layer = CQT(bins_per_octave=bins_per_octave, n_bins=4 * bins_per_octave, scale=False)
    t = np.arange(2 * 44100) / 44100
    chord = np.array([130.8, 311.1, 493.9])[:, None]
    low, high = (np.sin(2 * np.pi * f * t).sum(0) for f in (chord, chord * 2 ** (1 / 12)))
    low, high = layer(np.stack([low, high]).astype(np.float32)).numpy()[:, 10:-10]
    step = bins_per_octave // 12
    assert np.corrcoef(low[:, :-step].ravel(), high[:, step:].ravel())[0, 1] > 0.999


@pytest.mark.parametrize("hop_length", [512, 2048, 882])
def test_a_hop_of_delay_moves_the_picture_by_a_frame(hop_length):
    x = np.random.default_rng(2).standard_normal((1, 40000)).astype(np.float32)
    layer = CQT(hop_length=hop_length)
    now = layer(x).numpy()
    later = layer(np.pad(x, ((0, 0), (hop_length, 0)))).numpy()
    assert relative(later[:, 1:], now) < 1e-5


@pytest.mark.parametrize("window", ["hann", "blackman", "nuttall", "blackmanharris", "hamming"])
@pytest.mark.parametrize("filter_scale", [0.1, 1, 3])
@pytest.mark.parametrize("hop_length", [64, 441, 2048, 44100])
def test_filters_stay_close_to_their_definition(window, filter_scale, hop_length):
    layer = CQT(window=window, filter_scale=filter_scale, hop_length=hop_length, fmin=130.8, n_bins=72)
    assert layer.filter_errors.max() < 1e-4


@pytest.mark.parametrize("samples", [0, 1, 500, 2047, 2048, 4095, 4096])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_short_signals_give_finite_frames(samples, pad_mode):
    layer = CQT(pad_mode=pad_mode)
    got = layer(np.ones((2, samples), np.float32)).numpy()
    assert got.shape == (2, 1 + samples // 2048, 120)
    assert np.isfinite(got).all()
    assert (got.max() > 0) == (samples > 0)
    assert layer(np.ones((0, samples), np.float32)).shape == (0, 1 + samples // 2048, 120)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_samples_stay_in_their_clip_and_time(bad):
    x = np.random.default_rng(4).standard_normal((3, 300000)).astype(np.float32)
    clean = CQT()(x).numpy()
    x[1, 150000] = bad
    got = CQT()(x).numpy()
    np.testing.assert_array_equal(got[[0, 2]], clean[[0, 2]])
    assert not np.isfinite(got[1, 73]).any()
    spoilt = np.flatnonzero(~np.isfinite(got[1]).all(1)) * 2048
    assert np.abs(spoilt - 150000).max() < 44100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate", 0),
        ("hop_length", 0),
        ("hop_length", 512.5),
        ("fmin", 0),
        ("fmin", -27.5),
        ("fmin", math.nan),
        ("n_bins", 0),
        ("n_bins", 204),
        ("bins_per_octave", 0),
        ("tuning", math.inf),
        ("filter_scale", 0),
        ("norm", -1),
        ("window", "welch"),
        ("pad_mode", "linear_ramp"),
        ("output", "phase"),
    ],
)
def test_bad_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        CQT(**{name: value})


def test_the_highest_bin_may_lie_at_half_the_sample_rate():
    assert CQT(fmin=11025.0, n_bins=13, bins_per_octave=12)(np.ones((1, 4096), np.float32)).shape == (
        1,
        3,
        13,
    )
    with pytest.raises(ValueError, match=r"n_bins=14 .* above half the sample rate"):
        CQT(fmin=11025.0, n_bins=14, bins_per_octave=12)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((1, 4096), np.int16), "dtype int16"),
        (np.ones((1, 4096, 1), np.float32), r"shape \(1, 4096, 1\)"),
        (np.ones(4096, np.float32), r"shape \(4096,\)"),
    ],
)
def test_bad_inputs_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        CQT()(x)
