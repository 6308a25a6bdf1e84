from __future__ import annotations

import csv
import hashlib
import itertools
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import librosa
import mir_eval
import numpy as np
import pytest
import soundfile

import pipelines.demo
from pipelines.catalogue.specs import load_spec
from pipelines.demo import render_demo
from pipelines.demo.arrange import arrange
from pipelines.demo.instruments import PALETTES, PROGRAM_NAMES, TEST_PALETTE, TRAIN_PALETTE
from pipelines.demo.passages import Event, Passage, Voice, cut
from pipelines.demo.recipes import MAX_TUNING_CENTS, SPLITS, STYLES, Recipe, recipes
from pipelines.demo.render import SAMPLE_RATE, midi_bytes, render
from pipelines.demo.render import _synthesise as synthesise
from pipelines.demo.scores import Note, Score, corpus_folder, pieces, read_score
from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.keys import KEY_FOLDERS, KEYS, Key

# Temperley (1999), What's key for key?, Music Perception 17: profiles of the degrees of both modes.
MAJOR = [5, 2, 3.5, 2, 4.5, 4, 2, 4.5, 2, 3.5, 1.5, 4]
MINOR = [5, 2, 3.5, 4.5, 2, 4, 2, 4.5, 3.5, 2, 1.5, 4]


def profile_key(weights: np.ndarray) -> Key:
    profiles = np.array([np.roll(mode, tonic) for mode in (MAJOR, MINOR) for tonic in range(12)])
    profiles = (profiles - profiles.mean(1, keepdims=True)) / profiles.std(1, keepdims=True)
    return Key.from_index(int((profiles @ (weights - weights.mean())).argmax()))


def mirex(pairs: list[tuple[Key, Key]]) -> float:
    return float(
        np.mean([mir_eval.key.weighted_score(reference.long, guess.long) for reference, guess in pairs])
    )


def some_score() -> Score:
    chord = [(48, 3), (55, 2), (64, 1), (72, 0)]
    return Score(
        tuple(Note(beat, 1.0, pitch, part) for beat in range(8) for pitch, part in chord), 8.0, 4.0, 0.0
    )


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    listing = render_demo(tmp_path_factory.mktemp("demo"), size="tiny")
    return listing.parent


@pytest.fixture(scope="module")
def rows(tiny) -> list[dict[str, str]]:
    with (tiny / "tracks.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("size", ["default", "tiny"])
def test_every_split_has_all_keys_equally_often(size):
    counts = Counter((recipe.split, recipe.key) for recipe in recipes(size))
    assert set(counts) == set(itertools.product(SPLITS, KEYS))
    for split in SPLITS:
        assert len({counts[split, key] for key in KEYS}) == 1


def test_no_piece_and_no_tune_is_in_two_splits():
    splits = defaultdict(set)
    for piece in pieces():
        splits[piece.tune].add(piece.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len({piece.name for piece in pieces()}) == len({piece.file for piece in pieces()}) == len(pieces())
    for recipe in recipes():
        assert recipe.split == recipe.piece.split


def test_every_piece_is_used():
    assert {recipe.piece.name for recipe in recipes()} == {piece.name for piece in pieces()}


def test_test_instruments_never_sound_in_training():
    used = defaultdict(set)
    for recipe in recipes():
        for role, programs in recipe.programs.items():
            used[recipe.split] |= {(role == "kit", program) for program in programs}
    assert not (used["train"] | used["validation"]) & used["test"]
    assert not TRAIN_PALETTE.programs & TEST_PALETTE.programs
    assert set(PROGRAM_NAMES) == TRAIN_PALETTE.programs | TEST_PALETTE.programs


def test_recipes_vary_within_their_bounds():
    listed = recipes()
    assert len({recipe.track for recipe in listed}) == len(listed)
    assert {recipe.arrangement for recipe in listed} == set(STYLES)
    assert all(abs(recipe.tuning_cents) <= MAX_TUNING_CENTS for recipe in listed)
    assert np.median([abs(recipe.tuning_cents) for recipe in listed]) < 10
    assert all(-12 <= recipe.peak_db <= -3 and recipe.section in recipe.piece.sections for recipe in listed)
    assert all(recipe.piece.key.transpose(recipe.transposition) == recipe.key for recipe in listed)


def test_a_recipe_depends_on_its_name_alone():
    listed = {recipe.track: recipe for recipe in recipes()}
    shared = [(recipe, listed[recipe.track]) for recipe in recipes("tiny") if recipe.track in listed]
    assert shared
    for tiny, default in shared:
        assert replace(tiny, seconds=default.seconds) == default


def test_all_scores_are_in_the_corpus():
    missing = [piece.file for piece in pieces() if not (corpus_folder() / piece.file).is_file()]
    assert not missing


def test_a_score_is_read_as_it_is_printed():
    score = read_score("bach/bwv66.6.mxl")
    assert (score.bar, score.pickup, score.length) == (4.0, 1.0, 36.0)
    soprano = [(note.onset, note.duration, note.pitch) for note in score.notes if note.part == 0]
    assert soprano[:5] == [(0.0, 0.5, 73), (0.5, 0.5, 71), (1.0, 1.0, 69), (2.0, 1.0, 71), (3.0, 1.0, 73)]
    with pytest.raises(DataError, match="no_such"):
        read_score("bach/no_such.mxl")


def test_ties_graces_and_chords_are_read_as_they_sound(tmp_path, monkeypatch):
    note = "<note>{}<pitch><step>{}</step><octave>4</octave></pitch><duration>{}</duration>{}</note>"
    bars = [
        note.format("", "C", 3, "") + note.format("", "G", 1, '<tie type="start"/>'),
        note.format("", "G", 2, '<tie type="stop"/>')
        + note.format("<grace/>", "F", 0, "").replace("<duration>0</duration>", "")
        + note.format("", "C", 2, "")
        + note.format("<chord/>", "E", 2, ""),
    ]
    time = "<time><beats>4</beats><beat-type>4</beat-type></time>"
    attributes = f"<attributes><divisions>1</divisions>{time}</attributes>"
    measures = "".join(
        f'<measure number="{number}">{attributes if number == 1 else ""}{bar}</measure>'
        for number, bar in enumerate(bars, 1)
    )
    (tmp_path / "small.musicxml").write_text(
        '<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>a</part-name></score-part>'
        f'</part-list><part id="P1">{measures}</part></score-partwise>'
    )
    monkeypatch.setattr("pipelines.demo.scores.corpus_folder", lambda: tmp_path)
    score = read_score("small.musicxml")
    assert [(n.onset, n.duration, n.pitch) for n in score.notes] == [
        (0.0, 3.0, 60),
        (3.0, 3.0, 67),
        (6.0, 2.0, 60),
        (6.0, 2.0, 64),
    ]


def test_labels_are_what_an_analysis_of_the_notes_finds():
    scores: dict[str, Score] = {}
    pairs = []
    for recipe in recipes()[::12]:
        if recipe.piece.file not in scores:
            scores[recipe.piece.file] = read_score(recipe.piece.file)
        score = scores[recipe.piece.file]
        passage = cut(score, recipe.section, recipe.seconds * recipe.tempo / 60, recipe.loop_beats)
        weights = np.zeros(12)
        for voice in arrange(passage, recipe.arrangement, recipe.programs, recipe.track):
            for event in voice.events if not voice.drums else ():
                weights[(event.pitch + recipe.transposition) % 12] += event.duration
        pairs.append((recipe.key, profile_key(weights)))
    assert mirex(pairs) > 0.85


@pytest.mark.parametrize("section", ["opening", "close"])
@pytest.mark.parametrize(("beats", "loop"), [(5.0, 0), (30.0, 0), (20.0, 8)])
def test_cut_fills_the_beats_and_starts_with_a_note(section, beats, loop):
    score = read_score("bach/bwv66.6.mxl")
    passage = cut(score, section, beats, loop)
    assert min(note.onset for note in passage.notes) == 0
    assert max(note.onset for note in passage.notes) < beats <= max(note.end for note in passage.notes) + 4
    if loop:
        first = sorted((n.onset, n.pitch) for n in passage.notes if n.onset < loop)
        again = sorted((n.onset - loop, n.pitch) for n in passage.notes if loop <= n.onset < 2 * loop)
        assert first == again


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("arrangement", STYLES)
def test_an_arrangement_adds_no_pitch_class(arrangement, split):
    palette = PALETTES[split]
    programs = {
        role: palette.ensembles[0] if role == "ensemble" else (getattr(palette, role)[0],)
        for role in STYLES[arrangement].roles
        if role != "kit"
    } | {"kit": (palette.kits[0],)}
    passage = cut(some_score(), "opening", 12.0)
    for seed in range(20):
        voices = arrange(passage, arrangement, programs, str(seed))
        assert voices == arrange(passage, arrangement, programs, str(seed))
        pitched = [event for voice in voices if not voice.drums for event in voice.events]
        assert {event.pitch % 12 for event in pitched} <= {0, 4, 7}
        assert 0 in {event.pitch % 12 for event in pitched}
        assert all(
            0 <= event.start < 12 and event.duration > 0 and 20 < event.pitch < 110 for event in pitched
        )
        assert any(voice.drums for voice in voices) == ("kit" in STYLES[arrangement].roles)


def test_a_silent_top_part_leaves_the_melody_to_the_next():
    notes = tuple(note for note in some_score().notes if note.part > 0)
    passage = Passage(notes, 8.0, 4.0, 0.0)
    assert {note.pitch for note in passage.melody()} == {64}
    assert {note.pitch for note in passage.bass()} == {48}


def test_the_synthesiser_plays_at_the_pitch_and_tuning_asked_for():
    def frequency(cents: float) -> float:
        midi = midi_bytes([Voice(80, (Event(0.0, 8.0, 69, 100),))], 120.0, cents, 4.0, seed="a")
        samples = synthesise(midi)[SAMPLE_RATE : 3 * SAMPLE_RATE]
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
        frequencies = np.fft.rfftfreq(8 * len(samples), 1 / SAMPLE_RATE)
        band = (frequencies > 400) & (frequencies < 480)
        # The chorus spreads a tone to both sides, so the middle is taken rather than the peak.
        return float(np.average(frequencies[band], weights=spectrum[band] ** 2))

    in_tune = frequency(0.0)
    # The soundfont's samples are some cents off themselves.
    assert 1200 * np.log2(in_tune / 440) == pytest.approx(0, abs=10)
    assert 1200 * np.log2(frequency(30.0) / in_tune) == pytest.approx(30, abs=3)
    assert 1200 * np.log2(frequency(-30.0) / in_tune) == pytest.approx(-30, abs=3)


def test_tiny_has_what_its_list_says(tiny, rows):
    assert [row["split"] for row in rows] == ["train"] * 24 + ["validation"] * 24 + ["test"] * 24
    on_disk = {path.relative_to(tiny).as_posix() for path in tiny.rglob("*.flac")}
    assert on_disk == {row["path"] for row in rows}
    for row in rows:
        split, folder, name = row["path"].split("/")
        assert (split, folder, name) == (row["split"], Key.parse(row["key"]).folder, f"{row['track']}.flac")
        assert folder in KEY_FOLDERS


def test_tiny_sounds_as_audio_should(tiny, rows):
    by_track = {recipe.track: recipe for recipe in recipes("tiny")}
    for row in rows:
        samples, rate = soundfile.read(tiny / row["path"], dtype="float32")
        assert (rate, samples.shape) == (SAMPLE_RATE, (10 * SAMPLE_RATE,))
        assert soundfile.info(tiny / row["path"]).subtype == "PCM_16"
        peak = np.abs(samples).max()
        assert 20 * np.log10(peak) == pytest.approx(by_track[row["track"]].peak_db, abs=0.05)
        assert max(abs(samples[0]), abs(samples[-1])) < 1e-3
        assert np.abs(samples[: SAMPLE_RATE // 10]).max() > 0.03 * peak


def test_tiny_audio_is_in_the_keys_that_it_is_labelled_with(tiny, rows):
    pairs = []
    for row in rows[::3]:
        samples, rate = soundfile.read(tiny / row["path"], dtype="float32")
        slow = librosa.resample(samples, orig_sr=rate, target_sr=5512.5)
        chroma = librosa.feature.chroma_cqt(y=slow, sr=5512.5, fmin=65.41, n_octaves=5)
        pairs.append((Key.parse(row["key"]), profile_key(chroma.mean(axis=1))))
    # A random guess scores about 0.12 on average.
    assert mirex(pairs) > 0.55


def test_what_is_missing_or_outdated_is_rendered_again_with_the_same_bytes(tiny, rows):
    before = digests(tiny)
    listing = tiny / "tracks.csv"
    removed, outdated = rows[5]["path"], rows[30]["path"]
    (tiny / removed).unlink()
    (tiny / outdated).write_bytes(b"made by an earlier version")
    old = [{**row, "tempo": "1.0"} if row["path"] == outdated else row for row in rows]
    with listing.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(old)
    left = tiny / "train" / "C-maj" / ".left.partial.flac"
    left.write_bytes(b"killed half-way")
    calls: list[tuple[int, int]] = []
    render_demo(tiny, size="tiny", workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(71, 72), (72, 72)]
    assert digests(tiny) == before


def test_a_second_call_does_nothing_and_imports_nothing_heavy(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    code = (
        "import sys, pathlib; from pipelines.demo import render_demo\n"
        f"render_demo(pathlib.Path({str(tiny)!r}), size='tiny')\n"
        "print(sorted({'music21', 'midirenderer', 'mido', 'numpy', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_rendering_is_deterministic():
    recipe: Recipe = recipes("tiny")[0]
    score = read_score(recipe.piece.file)
    np.testing.assert_array_equal(render(recipe, score), render(recipe, score))


def test_an_unknown_size_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"'huge'.*'default' or 'tiny'"):
        render_demo(tmp_path, size="huge")  # type: ignore[arg-type]


def test_the_catalogue_names_its_sources_and_its_size():
    spec = load_spec("demo")
    assert "TimGM6mb" in spec.licence
    assert "music21" in spec.licence
    assert "ISMIR 2010" in spec.citation
    assert spec.tracks == len(recipes("default"))


def open_killer():
    """In place of what renders: the system kills the process for its memory."""
    return lambda job: os.kill(os.getpid(), signal.SIGKILL)


def open_failure():
    return lambda job: DataError("scores: not there; install music21 again")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("opener", "kind", "words"),
    [(open_killer, TfkeyError, "ended with signal 9"), (open_failure, DataError, "install music21 again")],
)
def test_rendering_that_fails_ends_with_an_error(tmp_path, monkeypatch, opener, kind, words):
    monkeypatch.setattr(pipelines.demo, "_open_renderer", opener)
    with pytest.raises(kind, match=words):
        render_demo(tmp_path, size="tiny")
    assert not (tmp_path / "tracks.csv").exists()
