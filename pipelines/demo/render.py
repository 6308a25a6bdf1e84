"""From an arrangement to audio: a MIDI file, a soundfont synthesiser, a FLAC file."""

from __future__ import annotations

import importlib.util
import io
import random
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.demo.arrange import arrange
from pipelines.demo.passages import Voice, cut
from pipelines.demo.recipes import Recipe
from pipelines.demo.scores import Note, Score, read_score
from tfkey.audio.reading import encode
from tfkey.errors import DataError
from tfkey.files import atomic_path

SAMPLE_RATE = 44_100

# MIDI 1.0: 14-bit pitch bend centred on 0 here, over +-2 semitones unless a file says otherwise.
_BEND_PER_CENT = 8192 / 200
_TICKS_PER_QUARTER = 480
_DRUM_CHANNEL = 9
_REVERB, _CHORUS, _PAN = 91, 93, 10

_FADE_IN_SECONDS = 0.005
_FADE_OUT_SECONDS = 0.5


def render_piece(file: str, recipes: list[Recipe], folder: Path) -> int:
    """Render tracks of one piece below ``folder``, reading its score once; return the number of tracks."""
    score = read_score(file)
    for recipe in recipes:
        write_flac(folder / recipe.path, render(recipe, score))
    return len(recipes)


def render(recipe: Recipe, score: Score) -> np.ndarray:
    """Play a recipe: float32 ``[samples]`` at 44.1 kHz, mono, in [-1, 1].

    The audio starts with a note and is faded in and out; its largest sample is the recipe's peak.
    """
    beats = recipe.seconds * recipe.tempo / 60
    moved = tuple(Note(n.onset, n.duration, n.pitch + recipe.transposition, n.part) for n in score.notes)
    passage = cut(
        Score(moved, score.length, score.bar, score.pickup), recipe.section, beats, recipe.loop_beats
    )
    voices = arrange(passage, recipe.arrangement, recipe.programs, recipe.track)
    midi = midi_bytes(voices, recipe.tempo, recipe.tuning_cents, recipe.seconds, seed=recipe.track)
    return _finish(_synthesise(midi), recipe.seconds, recipe.peak_db)


def midi_bytes(voices: list[Voice], tempo: float, tuning_cents: float, seconds: float, *, seed: str) -> bytes:
    """Return the Standard MIDI File (format 1) of an arrangement, with a track and a channel per voice.

    The tuning is a pitch bend, precise to about a hundredth of a cent; drums have none. Reverberation,
    chorus and position in the stereo field are drawn from the seed.
    """
    import mido

    draw = random.Random(f"mix {seed}")
    reverb = draw.randint(0, 90)
    last = round(seconds * tempo / 60 * _TICKS_PER_QUARTER)
    conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
    conductor.append(mido.MetaMessage("end_of_track", time=last))
    file = mido.MidiFile(type=1, ticks_per_beat=_TICKS_PER_QUARTER, tracks=[conductor])
    free = iter(channel for channel in range(16) if channel != _DRUM_CHANNEL)
    for voice in voices:
        channel = _DRUM_CHANNEL if voice.drums else next(free)
        bend = 0 if voice.drums else round(tuning_cents * _BEND_PER_CENT)
        track = mido.MidiTrack(
            [
                mido.Message("program_change", channel=channel, program=voice.program),
                mido.Message("pitchwheel", channel=channel, pitch=bend),
                mido.Message("control_change", channel=channel, control=_REVERB, value=reverb),
                mido.Message("control_change", channel=channel, control=_CHORUS, value=draw.randint(0, 50)),
                mido.Message("control_change", channel=channel, control=_PAN, value=draw.randint(44, 84)),
            ]
        )
        now = 0
        # At one place notes end before others start, or a repeated note would be cut short.
        for place, is_on, pitch, velocity in sorted(_switches(voice)):
            kind = "note_on" if is_on else "note_off"
            time = place - now
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=time))
            now = place
        file.tracks.append(track)
    stream = io.BytesIO()
    file.save(file=stream)
    return stream.getvalue()


def write_flac(path: Path, samples: np.ndarray) -> None:
    """Write mono samples in [-1, 1] at 44.1 kHz as 16-bit FLAC, atomically."""
    content = encode(samples, SAMPLE_RATE, "FLAC")
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def _switches(voice: Voice) -> list[tuple[int, bool, int, int]]:
    """(tick, on or off, pitch, velocity) of every start and end of a note, without pitches beyond MIDI."""
    found = []
    for event in voice.events:
        if not 0 <= event.pitch <= 127:
            continue
        start = round(event.start * _TICKS_PER_QUARTER)
        end = max(start + 1, round((event.start + event.duration) * _TICKS_PER_QUARTER))
        found += [(start, True, event.pitch, event.velocity), (end, False, event.pitch, 0)]
    return found


def _synthesise(midi: bytes) -> np.ndarray:
    """Play a MIDI file: float32 ``[samples]`` at 44.1 kHz, mono."""
    import midirenderer
    import soundfile
    import soxr

    wave = midirenderer.render_wave_from(_soundfont(), midi)
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE, quality="HQ")


@lru_cache(maxsize=1)
def _soundfont() -> bytes:
    return soundfont_path().read_bytes()


def soundfont_path() -> Path:
    """Return the path of TimGM6mb.sf2, which is distributed with pretty_midi.

    Raises:
        DataError: it is missing.
    """
    spec = importlib.util.find_spec("pretty_midi")
    path = Path(spec.origin).with_name("TimGM6mb.sf2") if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError(
            "TimGM6mb.sf2, the demo's soundfont, is missing; run pip install 'pretty_midi>=0.2.10'"
        )
    return path


def _finish(samples: np.ndarray, seconds: float, peak_db: float) -> np.ndarray:
    """Cut to length, fade both ends and scale to the peak."""
    wanted = round(seconds * SAMPLE_RATE)
    samples = np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))
    fade_in, fade_out = round(_FADE_IN_SECONDS * SAMPLE_RATE), round(_FADE_OUT_SECONDS * SAMPLE_RATE)
    samples[:fade_in] *= np.linspace(0, 1, fade_in, dtype=np.float32)
    samples[-fade_out:] *= np.cos(np.linspace(0, np.pi / 2, fade_out, dtype=np.float32)) ** 2
    return samples * np.float32(10 ** (peak_db / 20) / max(float(np.abs(samples).max()), 1e-9))
