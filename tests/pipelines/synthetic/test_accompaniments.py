"""Accompaniments: chords, styles, melodies, MIDI files, MMA as a program, and clips of every style."""

from __future__ import annotations

import re
from pathlib import Path

import mido
import numpy as np
import pytest

from pipelines.synthetic.accompaniments import generator, mma
from pipelines.synthetic.accompaniments.arranging import arrange
from pipelines.synthetic.accompaniments.chords import Chord, melodic_scale, parse_chord, scale_over
from pipelines.synthetic.accompaniments.generator import Tools, accompaniment, groups
from pipelines.synthetic.accompaniments.melody import Bar, bars_of, melody
from pipelines.synthetic.accompaniments.midi import midi_bytes, read_midi
from pipelines.synthetic.accompaniments.parts import Note, Part
from pipelines.synthetic.accompaniments.progressions import COLOURS, draw_chart, families, parse_progression
from pipelines.synthetic.accompaniments.rendering import packaged_soundfont, render
from pipelines.synthetic.accompaniments.styles import DRUMS, manner_of_mma, styles
from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES, Clip
from pipelines.synthetic.harmony import AEOLIAN, IONIAN, MIXOLYDIAN
from tfkey.errors import DataError, UsageError
from tfkey.keys import Key, Mode

MODES: tuple[Mode, ...] = ("major", "minor")
FONT = packaged_soundfont()
OWN = Tools((FONT,))

# D. Albrecht and D. Shanahan, "The Use of Large Corpora to Train a New Type of Key-Finding Algorithm", Music
# Perception 31(1), 2013: how often the degrees of major and minor keys occur.
_MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
_MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])


def key_of(pitch_classes: np.ndarray) -> Key:
    """The key whose profile correlates best with the weights of the 12 pitch classes."""
    scores = [
        np.corrcoef(pitch_classes, np.roll(profile, tonic))[0, 1]
        for profile in (_MAJOR, _MINOR)
        for tonic in range(12)
    ]
    return Key.from_index(int(np.argmax(scores)))


def chroma(samples: np.ndarray, cents: float) -> np.ndarray:
    """How strong the 12 pitch classes are between 60 and 1,800 Hz: what rises above its surroundings."""
    size = 8192
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2] * np.hanning(size)
    spectrum = np.sqrt(np.abs(np.fft.rfft(frames))).mean(axis=0)
    peaks = np.maximum(spectrum - np.convolve(spectrum, np.full(31, 1 / 31), "same"), 0)
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    heard = (hertz > 60) & (hertz < 1800)
    pitches = np.round(69 + 12 * np.log2(hertz[heard] / 440) - cents / 100).astype(int)
    return np.bincount(pitches % 12, peaks[heard], 12)


def note_weights(parts: list[Part]) -> np.ndarray:
    """How long each pitch class sounds, in beats."""
    weights = np.zeros(12)
    for part in parts:
        for note in part.notes if part.role != "drums" else ():
            weights[note.pitch % 12] += note.duration
    return weights


@pytest.fixture(scope="module")
def clips() -> list[tuple[Key, Clip]]:
    """24 clips of tfkey's own styles, 12 s of music and silence behind, as that is faster."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "_RENDERED_SECONDS", 12.0)
        for number, group in enumerate(groups("major", OWN)[:24]):
            key = Key(number * 5 % 12, MODES[number // 12])
            found.append((key, accompaniment(np.random.default_rng(number), key, group, OWN)))
    return found


# Chords and charts.


@pytest.mark.parametrize(
    ("text", "mode", "root", "quality"),
    [
        ("I", "major", 0, ""),
        ("ii7", "major", 2, "m7"),
        ("bVII", "major", 10, ""),
        ("VII", "minor", 10, ""),
        ("iiø", "minor", 2, "m7b5"),
        ("V7/ii", "major", 9, "7"),
        ("V7/iv", "minor", 0, "7"),
        ("V/V", "major", 2, ""),
        ("#ivo7", "major", 6, "dim7"),
        ("iM7", "minor", 0, "mM7"),
        ("bII", "minor", 1, ""),
        ("Vsus4", "major", 7, "sus4"),
    ],
)
def test_numerals(text: str, mode: Mode, root: int, quality: str) -> None:
    assert parse_chord(text, mode) == Chord(root, quality)


@pytest.mark.parametrize("text", ["", "VIII", "IVx", "H", "Iv", "V7/", "i#"])
def test_what_is_no_numeral(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_chord(text, "major")


@pytest.mark.parametrize(
    ("chord", "scale", "expected"),
    [
        (Chord(7, ""), AEOLIAN, (0, 2, 3, 5, 7, 8, 11)),  # harmonic minor over its dominant
        (Chord(5, ""), AEOLIAN, (0, 2, 3, 5, 7, 9, 10)),  # dorian over the major subdominant
        (Chord(0, "7"), IONIAN, (0, 2, 4, 5, 7, 9, 10)),  # mixolydian over the blues
        (Chord(9, "m"), IONIAN, IONIAN),
    ],
)
def test_scale_over_a_chord(chord: Chord, scale: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert scale_over(chord, scale) == expected


def test_a_lowered_seventh_chord_makes_a_melody_mixolydian() -> None:
    rock = [chord for bar in parse_progression("I bVII IV I", "major") for chord in bar]
    pop = [chord for bar in parse_progression("I V vi IV", "major") for chord in bar]
    assert melodic_scale(rock, "major") == MIXOLYDIAN
    assert melodic_scale(pop, "major") == IONIAN


@pytest.mark.parametrize("mode", MODES)
def test_progressions_rest_on_their_tonic(mode: Mode) -> None:
    for family, progressions in families()[mode].items():
        assert len(set(progressions)) == len(progressions) >= 5, family
        for text in progressions:
            chords = [chord for bar in parse_progression(text, mode) for chord in bar]
            on_tonic = [chord for chord in chords if chord.root == 0]
            assert on_tonic, text
            third = 4 if mode == "major" else 3
            assert any(third in chord.classes for chord in on_tonic), text


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("mode", MODES)
def test_charts(mode: Mode, colour: str) -> None:
    rng = np.random.default_rng(5)
    for family in families()[mode]:
        chart = draw_chart(rng, mode, family, colour, 23)
        assert len(chart.bars) == 23
        assert {chord.quality == "5" for chord in chart.chords} <= (
            {True, False} if colour == "power" else {False}
        )


# Styles and parts.


def test_patterns_fill_their_bars() -> None:
    signs = {"drums": "Xxo.-", "bass": "135678Lw.-", "chords": "Xxo123456.-"}
    for name, style in styles().items():
        assert set(style.manner.families) <= set(families()["major"]), name
        assert set(style.manner.colours) <= set(COLOURS), name
        assert all(set(drums) <= set(DRUMS) for drums in style.drums), name
        patterns = [("drums", pattern) for drums in style.drums for pattern in drums.values()]
        patterns += [("bass", pattern) for pattern in style.bass if pattern]
        patterns += [("chords", pattern) for layer in style.layers for pattern in layer.patterns]
        for kind, pattern in patterns:
            assert pattern, name
            assert len(pattern) % style.steps == 0, (name, pattern)
            assert set(pattern) <= set(signs[kind]), (name, pattern)
    assert len(styles()) >= 24


def _timed(text: str, mode: Mode, beats: int, repeats: int) -> list[Bar]:
    chart = [tuple(bar) for bar in parse_progression(text, mode)] * repeats
    return bars_of(chart, [float(beats * bar) for bar in range(len(chart))], beats)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", styles())
def test_every_style_states_its_key(name: str, mode: Mode) -> None:
    style, key = styles()[name], Key(8, mode)
    text = "I IV I V I,vi ii,V I I" if mode == "major" else "i iv i V i,VI iiø,V i i"
    for seed in range(2):
        parts = arrange(style, _timed(text, mode, style.beats, 3), key, np.random.default_rng(seed))
        assert key_of(note_weights(parts)) == key
        assert all(0 <= note.pitch <= 127 and note.velocity >= 1 for part in parts for note in part.notes)


def test_a_bass_follows_chords_that_share_a_bar() -> None:
    style = styles()["hymn"]
    for seed in range(6):
        bars = _timed("I,IV V,vi", "major", style.beats, 4)
        parts = arrange(style, bars, Key(0, "major"), np.random.default_rng(seed))
        for part in (part for part in parts if part.role == "bass"):
            starts = {note.start % 8: note.pitch % 12 for note in part.notes}
            assert [starts[place] for place in (0, 2, 4, 6)] == [0, 5, 7, 9]


def test_melodies_keep_to_chord_and_scale() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        bars = _timed("i iv V i", "minor", 4, 4)
        for part in melody(bars, Key(9, "minor"), 100, 0.0, rng):
            for note in part.notes:
                chord = bars[int(note.start // 4)].chords[0]
                step = (note.pitch - 9) % 12
                assert step in scale_over(chord, AEOLIAN)
                assert note.start % 2 or step in chord.classes
                assert 36 <= note.pitch <= 100


def test_parts_pause_by_sections_but_never_all() -> None:
    bars = _timed("I", "major", 4, 24)
    notes = tuple(Note(beat, 1, 60, 90) for beat in range(96))
    parts = [Part(role, 0, notes) for role in ("drums", "bass", "chords")]
    heard = np.zeros((3, 6), int)
    thinned = generator._thinned(parts, bars, np.random.default_rng(0))
    for number, part in enumerate(thinned):
        for note in part.notes:
            heard[number, int(note.start // 16)] += 1
    assert set(heard.ravel()) == {0, 16}
    assert heard[1:].sum(axis=0).all()


# MIDI files and rendering.


def test_midi_there_and_back(tmp_path: Path) -> None:
    bass = Part("bass", 33, (Note(0, 1, 40, 90), Note(1, 0.5, 40, 80), Note(300, 1, 41, 80)))
    chords = Part("chords", 4, tuple(Note(2.25, 1.5, pitch, 70) for pitch in (60, 64, 67)))
    drums = Part("drums", 8, (Note(0.5, 0.25, 38, 127),))
    path = tmp_path / "band.mid"
    path.write_bytes(midi_bytes([bass, chords, drums], 90.0, 20.0, np.random.default_rng(0)))
    parts, markers = read_midi(path, "bar")
    assert not markers
    by_role = {part.role: part for part in parts}
    assert by_role["bass"].program == 33
    assert by_role["bass"].notes == bass.notes[:2]  # the third starts after 20 s
    assert sorted(by_role["chords"].notes) == sorted(chords.notes)
    assert (by_role["drums"].program, by_role["drums"].notes) == (8, drums.notes)
    assert mido.MidiFile(path).length == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize("content", [b"", b"MThd", b"not a MIDI file at all"])
def test_what_is_no_midi_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(path))):
        read_midi(path, "bar")


@pytest.mark.parametrize("cents", [-50.0, 0.0, 31.0])
def test_tuning(cents: float) -> None:
    midi = midi_bytes([Part("lead", 19, (Note(0, 6, 69, 100),))], 60, 6, np.random.default_rng(0))
    tone = render(midi, FONT, cents)[SAMPLE_RATE : 5 * SAMPLE_RATE]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 8 * len(tone)))
    hertz = np.fft.rfftfreq(8 * len(tone), 1 / SAMPLE_RATE)
    near = (hertz > 420) & (hertz < 460)
    found = 1200 * np.log2(hertz[near][np.argmax(spectrum[near])] / 440)
    # The soundfont itself is a few cents off.
    assert found == pytest.approx(cents, abs=8)


# Clips.


def test_clips_have_the_form(clips: list[tuple[Key, Clip]]) -> None:
    for _, clip in clips:
        assert clip.samples.dtype == np.float32
        assert clip.samples.shape == (SAMPLES,)
        assert np.isfinite(clip.samples).all()
        assert 0.29 < np.abs(clip.samples).max() <= 1
        assert {"tempo", "groove", "progression", "soundfont", "cents", "instruments"} <= set(clip.settings)


def test_clips_are_heard_in_their_key(clips: list[tuple[Key, Clip]]) -> None:
    # By chance, one.
    heard = [
        key_of(chroma(clip.samples[: 11 * SAMPLE_RATE], float(clip.settings["cents"]))) for _, clip in clips
    ]
    assert sum(answer == key for answer, (key, _) in zip(heard, clips, strict=True)) >= 14


def test_a_clip_is_full_and_the_same_for_the_same_numbers() -> None:
    key = Key(3, "minor")
    first, again = (accompaniment(np.random.default_rng(4), key, "own:salsa", OWN) for _ in range(2))
    other = accompaniment(np.random.default_rng(5), key, "own:salsa", OWN)
    assert np.array_equal(first.samples, again.samples)
    assert first.settings == again.settings
    assert not np.array_equal(first.samples, other.samples)
    assert np.abs(first.samples[-SAMPLE_RATE:]).max() > 0.01


def test_groups_without_mma() -> None:
    assert groups("major", OWN) == groups("minor", OWN) == [f"own:{name}" for name in styles()]


@pytest.mark.parametrize("group", ["own:nothing", "mma:stdlib/salsa", "salsa", ""])
def test_unknown_groups(group: str) -> None:
    with pytest.raises(UsageError, match="no style"):
        accompaniment(np.random.default_rng(0), Key(0, "major"), group, OWN)


@pytest.mark.parametrize("content", [None, b"RIFF....WAVEfmt "])
def test_soundfonts_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.sf2"
    if content:
        path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(path))):
        accompaniment(np.random.default_rng(0), Key(0, "major"), "own:rock", Tools((path,)))


def test_no_soundfont() -> None:
    with pytest.raises(UsageError, match="soundfont"):
        accompaniment(np.random.default_rng(0), Key(0, "major"), "own:rock", Tools(()))


# MMA: a stand-in, and the program itself where it is installed.

_STAND_IN = """
import os, sys, mido
source, target = sys.argv[1], sys.argv[3]
lines = open(source).read().splitlines()
given = dict(line.split(" ", 1) for line in lines if line.split()[0] in ("RndSeed", "Use", "Groove"))
if "Broken" in given["Groove"]:
    sys.exit("ERROR: no such sequence")
if not os.environ["MMA_HOME"] == os.path.dirname(os.path.abspath(__file__)) or "LANG" in os.environ:
    sys.exit("wrong environment")
file = mido.MidiFile()
track = mido.MidiTrack([mido.Message("program_change", program=25)])
root = {name: 48 + number for number, name in enumerate("C Db D Eb E F Gb G Ab A Bb B".split())}
for line in lines:
    if line.startswith("MidiMark"):
        track.append(mido.MetaMessage("marker", text=line.split()[1]))
    elif line[0].isdigit():
        symbol = line.split()[1]
        name = symbol[:2] if symbol[:2] in root else symbol[:1]
        for beat in range(3):
            pitch = root[name] + (0 if "Silent" not in given["Groove"] else 100)
            track.append(mido.Message("note_on", note=min(127, pitch), velocity=90 if pitch < 128 else 0))
            track.append(mido.Message("note_off", note=min(127, pitch), time=480))
file.tracks.append(track)
file.save(target)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder like MMA's with three styles and a program that plays the roots of the chords."""
    folder = tmp_path / "mma"
    (folder / "lib" / "stdlib").mkdir(parents=True)
    (folder / "mma.py").write_text(_STAND_IN)
    for name, grooves in {
        "one": "One OneFill OneEndingA",
        "some": "Broken1 Good Silent",
        "bad": "Broken Silent",
    }.items():
        lines = ["Time 3", *(f"DefGroove {groove}  Text" for groove in grooves.split())]
        (folder / "lib" / "stdlib" / f"{name}waltz.mma").write_text("\n".join(lines))
    return folder


def test_groups_of_mma(stand_in: Path) -> None:
    assert mma.style_files(stand_in)["stdlib/onewaltz"] == ("One",)
    found = groups("minor", Tools((FONT,), stand_in))
    assert found[-3:] == ["mma:stdlib/badwaltz", "mma:stdlib/onewaltz", "mma:stdlib/somewaltz"]
    assert manner_of_mma("stdlib/onewaltz") == manner_of_mma("casio/popwaltz")


def test_mma_plays_a_chart_in_bars(stand_in: Path) -> None:
    chart = draw_chart(np.random.default_rng(1), "major", "folk", "plain", 6)
    (part,), starts = mma.play(stand_in, "stdlib/onewaltz", "One", chart, 2, 120.0, 9)
    assert starts == [0, 3, 6, 9, 12, 15]
    assert [note.pitch % 12 for note in part.notes][::3] == [(bar[0].root + 2) % 12 for bar in chart.bars]


def test_another_groove_is_played_where_one_fails(stand_in: Path) -> None:
    tools = Tools((FONT,), stand_in)
    for seed in range(2):
        clip = accompaniment(np.random.default_rng(seed), Key(0, "major"), "mma:stdlib/somewaltz", tools)
        assert clip.settings["groove"] == "Good"


def test_a_style_without_a_groove_that_can_be_played(stand_in: Path) -> None:
    with pytest.raises(DataError, match=r"badwaltz\.mma: no groove.*(no such sequence|too few notes)"):
        accompaniment(
            np.random.default_rng(0), Key(0, "major"), "mma:stdlib/badwaltz", Tools((FONT,), stand_in)
        )


def test_mma_that_never_ends(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mma, "_SECONDS", 0.3)
    (stand_in / "mma.py").write_text("import time; time.sleep(30)")
    chart = draw_chart(np.random.default_rng(1), "major", "folk", "plain", 6)
    with pytest.raises(DataError, match=r"onewaltz, groove One.*timed out"):
        mma.play(stand_in, "stdlib/onewaltz", "One", chart, 2, 120.0, 9)


def test_mma_without_its_script_or_styles(stand_in: Path, tmp_path: Path) -> None:
    (stand_in / "mma.py").unlink()
    with pytest.raises(DataError, match=re.escape(f"{stand_in}: MMA's script is missing")):
        mma.program(stand_in)
    with pytest.raises(DataError, match="holds no styles"):
        groups("major", Tools((FONT,), tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("beats", "expected"), [(4, "C / F"), (3, "C F"), (2, "C F"), (6, "C / / F"), (1, "C")]
)
def test_chords_that_share_a_bar(beats: int, expected: str) -> None:
    assert mma._in_bar(["C", "F"], beats) == expected


_INSTALLED = Path("/usr/share/mma")


@pytest.mark.skipif(not (_INSTALLED / "MMA").is_dir(), reason="MMA is not installed in /usr/share/mma")
@pytest.mark.parametrize(("style", "mode"), [("stdlib/bossanova", "minor"), ("casio/popwaltz", "major")])
def test_mma_itself(style: str, mode: Mode) -> None:
    key = Key(7, mode)
    grooves = mma.style_files(_INSTALLED)[style]
    chart = draw_chart(np.random.default_rng(3), mode, "march", "plain", 16)
    parts, starts = mma.play(_INSTALLED, style, grooves[0], chart, key.tonic, 120.0, 9)
    assert parts == mma.play(_INSTALLED, style, grooves[0], chart, key.tonic, 120.0, 9)[0]
    assert np.diff(starts) == pytest.approx(mma.beats_of_a_bar(_INSTALLED, style))
    assert len(starts) == 16
    assert key_of(note_weights(parts)) == key
