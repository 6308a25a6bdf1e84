"""Clips of songs and session tunes, and the groups that keep them apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.clip import SECONDS, Clip, draw_cents, finished
from pipelines.synthetic.effects import balanced
from pipelines.synthetic.songs import (
    accompaniment,
    chords,
    melody,
    melody_instruments,
    percussion,
    recording,
    session,
    singing,
    tunes,
)
from pipelines.synthetic.songs.chords import Chord, Span
from pipelines.synthetic.songs.form import Form, Shares
from pipelines.synthetic.songs.forms import FORMS
from pipelines.synthetic.songs.notes import Clock, Note, moved
from pipelines.synthetic.songs.stage import Stage
from tfkey.keys import Key, Mode

_MODES: dict[str, Mode] = {"ionian": "major", "mixolydian": "major", "dorian": "minor", "aeolian": "minor"}
_LEADS = (
    "fiddle",
    "whistle",
    "harmonica",
    "accordion",
    "mandolin",
    "banjo",
    "electric guitar",
    "cello",
    "clarinet",
)
_BELOW = {"cello": 53.0, "banjo": 60.0, "electric guitar": 62.0, "clarinet": 62.0}
_GUITARS = {
    "steel guitar": 0.6, "nylon guitar": 0.15, "twelve-string guitar": 0.1, "electric guitar": 0.1,
    "ukulele": 0.05,
}  # fmt: skip
Layers = list[tuple[str, np.ndarray, float]]


@dataclass(frozen=True)
class Group:
    """What the clips of a group share.

    Attributes:
        form: a name in ``FORMS``, or ``session``.
        mode: of all clips.
        material: a progression in Roman numerals; for a session the scale.
        dance: for a session, a name in ``tunes.DANCES``.
    """

    form: str
    mode: Mode
    material: str
    dance: str = ""


def _all_groups() -> dict[str, Group]:
    made = {}
    for name, form in FORMS.items():
        for mode, progressions in form.progressions.items():
            for progression in progressions:
                made[f"{name} {mode} {progression}"] = Group(name, mode, progression)
    for scale_name in session.SCALES:
        for dance in tunes.DANCES:
            made[f"session {scale_name} {dance}"] = Group("session", _MODES[scale_name], scale_name, dance)
    return made


_GROUPS = _all_groups()


def groups(mode: str) -> list[str]:
    """Return the groups of a mode, ``major`` or ``minor``: a form of song with a progression or a dance."""
    return [name for name, group in _GROUPS.items() if group.mode == mode]


def song(rng: np.random.Generator, key: Key, group: str) -> Clip:
    """Compose, play and record a song.

    Args:
        rng: draws everything that key and group leave open.
        key: the key of the clip. Dorian and aeolian songs are minor, mixolydian songs major.
        group: one of ``groups(key.mode)``.

    Returns:
        the clip. Its settings name the form, the tempo in beats per minute, the tuning in cents, the number
        of voices, the instruments, and the recording.

    Raises:
        ValueError: the group is not one of ``groups(key.mode)``.
    """
    chosen = _GROUPS.get(group)
    if chosen is None or chosen.mode != key.mode:
        raise ValueError(f"{group!r} is not a group of songs in {key.mode}; take one of groups({key.mode!r})")
    cents = draw_cents(rng)
    if chosen.form == "session":
        dance = tunes.DANCES[chosen.dance]
        stage = session.stage_for(rng, dance, key.tonic, cents)
        layers, settings = session.play(stage, dance, chosen.material)
    else:
        stage, layers, settings = _performed(rng, key, FORMS[chosen.form], chosen.material, cents)
    mix = balanced([layer for _, layer, _ in layers], [level for *_, level in layers])
    mix, recorded = recording.record(mix, recording.draw(rng), rng)
    common: dict[str, float | str] = {
        "form": chosen.form,
        "material": f"{chosen.material} {chosen.dance}".strip(),
        "tempo": round(60 / stage.clock.beat, 1),
        "cents": round(cents, 1),
    }
    return Clip(finished(mix, rng), common | settings | recorded)


def _performed(
    rng: np.random.Generator, key: Key, form: Form, progression: str, cents: float
) -> tuple[Stage, Layers, dict[str, float | str]]:
    stage, ends = _stage(rng, form, key.tonic, cents)
    harmony = chords.progression(progression)
    spans = _spans(stage, harmony, form, ends, key.mode)
    scale = chords.scale(harmony, key.mode)
    style = _style(rng, stage, form, scale, key.mode)
    notes = melody.compose(rng, spans, style)
    if key.mode == "minor":
        notes = _melodic(notes)
    if ends:
        notes = _ended(notes, stage)
    phrase = style.phrase * stage.bar
    layers: Layers = []
    band = _band(stage, spans, form, key.mode)
    kind = _pick(rng, form.singers)
    settings: dict[str, float | str] = {"singing": kind, "voices": 0, "ending": int(ends)}
    silent = {number for number in range(64) if rng.random() < 0.08} if band else set()
    vocal = [note for note in notes if int(note.start / phrase + 1e-6) not in silent] or notes
    if kind == "none" or rng.random() < form.lead:
        layers.append(_lead(stage, notes if kind == "none" else _answers(rng, notes, vocal, phrase)))
    if kind != "none":
        mistuned = rng.uniform(*form.mistuned)
        voicings = singing.arranged(stage, kind, vocal, spans, scale, phrase)
        alone = all(name in percussion.PATTERNS for name, *_ in band)
        drift = singing.drifting(rng, cents) if alone else None
        sung = singing.sung(
            stage,
            voicings,
            mistuned=mistuned,
            trained=bool(rng.random() < form.trained),
            humming=kind == "humming",
            drift=drift,
        )
        layers.append(("voice", sung, rng.uniform(-7, 3)))
        settings |= {"voices": sum(voicing.count for voicing in voicings), "mistuned": round(mistuned, 1)}
    layers += band
    settings["instruments"] = " ".join(name for name, *_ in layers)
    return stage, layers, settings


def _pick(rng: np.random.Generator, shares: Shares) -> str:
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _stage(rng: np.random.Generator, form: Form, tonic: int, cents: float) -> tuple[Stage, bool]:
    """Draw metre, tempo, and whether the song ends within the clip."""
    bar = int(_pick(rng, {str(beats): share for beats, share in form.bars.items()}))
    beat = 60 / rng.uniform(*form.tempo)
    if bar == 2:
        # The beat of 6/8 is a dotted quarter: slower than a quarter would be.
        beat = max(beat * 1.3, 0.55)
    start = rng.uniform(0, 0.8) if rng.random() < 0.5 else -rng.uniform(0, 4 * bar) * beat
    swing = rng.uniform(0.58, 0.68) if bar != 2 and rng.random() < form.swing else 0.5
    ends = bool(rng.random() < 0.35)
    if ends:
        last = float(np.floor((SECONDS - rng.uniform(0.3, 3) - start) / beat / bar) * bar)
    else:
        last = float(np.ceil((SECONDS - start) / beat / bar) * bar)
    return Stage(rng, Clock(beat, swing, start), tonic, cents, bar, last), ends


def _spans(stage: Stage, harmony: list[Chord], form: Form, ends: bool, mode: Mode) -> list[Span]:
    length = float(stage.rng.choice(form.chord_beats)) if form.chord_beats else float(stage.bar)
    # Loops of few chords may go half as fast where bars are short.
    if (
        not form.chord_beats
        and len(harmony) <= 4
        and stage.clock.beat * stage.bar < 1.6
        and stage.rng.random() < 0.35
    ):
        length *= 2
    spans, beat, number = [], 0.0, 0
    while beat < stage.last:
        spans.append(Span(beat, beat + length, harmony[number % len(harmony)]))
        beat, number = beat + length, number + 1
    if ends:
        start = stage.last - stage.bar
        spans = [replace(span, end=min(span.end, start)) for span in spans if span.start < start]
        spans.append(Span(start, stage.last, chords.chord("I" if mode == "major" else "i")))
    return spans


def _style(
    rng: np.random.Generator, stage: Stage, form: Form, scale: tuple[int, ...], mode: Mode
) -> melody.Style:
    notes: tuple[int, ...] = scale
    bends = True
    if rng.random() < form.pentatonic:
        notes = melody.MAJOR_PENTATONIC if mode == "major" else melody.MINOR_PENTATONIC
        if form.blue:
            notes, bends = melody.BLUES if mode == "major" else melody.MINOR_PENTATONIC, False
    elif mode == "minor" and 11 not in scale and 10 in scale and rng.random() < 0.15:
        notes = (*scale[:6], 11)
    low = int(rng.integers(-7, 0))
    phrase = int(rng.choice(form.phrases))
    return melody.Style(
        notes, stage.bar, phrase, low, low + int(rng.integers(12, 18)), rng.uniform(0.5, 1.0), bends
    )


def _melodic(notes: list[Note]) -> list[Note]:
    """Return the notes of a minor melody with the sixth degree raised on the way up to a raised seventh."""
    out = []
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        up = following is not None and note.pitch % 12 == 8 and following.pitch - note.pitch == 3
        out.append(replace(note, pitch=note.pitch + 1) if up else note)
    return out


def _ended(notes: list[Note], stage: Stage) -> list[Note]:
    """Return the melody with a long tonic in the last bar."""
    start = stage.last - stage.bar
    kept = [replace(note, end=min(note.end, start)) for note in notes if note.start < start - 1e-6]
    near = kept[-1].pitch if kept else 0
    return [*kept, Note(start, stage.last, 12 * round(near / 12), 1.0)]


def _answers(rng: np.random.Generator, notes: list[Note], vocal: list[Note], phrase: float) -> list[Note]:
    """Return what an instrument plays beside singers: all they sing, each fourth phrase, or their gaps."""
    left = [note for note in notes if note not in vocal]
    style = rng.random()
    if style < 0.4:
        return notes
    if style < 0.7 or not left:
        return [note for note in notes if int(note.start / phrase + 1e-6) % 4 == 3]
    return left


def _lead(stage: Stage, notes: list[Note]) -> tuple[str, np.ndarray, float]:
    rng = stage.rng
    name = str(rng.choice(_LEADS))
    middle = float(np.median([note.pitch for note in notes])) if notes else 0.0
    base = stage.near(0, _BELOW.get(name, 70.0) - middle)
    played = sorted(stage.clock.played(moved(notes, base), rng), key=lambda note: note.start)
    mistuned = stage.cents + float(rng.normal(0, 5))
    layer = melody_instruments.play(played, name, len(stage.silence()), rng, mistuned)
    return name, layer, rng.uniform(-6, 2)


def _band(stage: Stage, spans: list[Span], form: Form, mode: Mode) -> Layers:
    rng, layers = stage.rng, []
    guitar = _pick(rng, form.guitars)
    fret = accompaniment.capo(rng, stage.tonic, mode)
    if guitar == "power":
        layers.append(("distorted guitar", accompaniment.power_chords(stage, spans), rng.uniform(-5, 2)))
    elif guitar != "none":
        name = _pick(rng, _GUITARS)
        playing = accompaniment.strummed if guitar == "strummed" else accompaniment.picked
        layers.append((name, playing(stage, spans, name, fret), rng.uniform(-7, 2)))
        if rng.random() < 0.25:
            # A second guitar, tuned a little differently, that grips other chords.
            other = replace(stage, cents=stage.cents + float(np.clip(rng.normal(0, 5), -12, 12)))
            name = _pick(rng, _GUITARS)
            fret = accompaniment.capo(rng, stage.tonic, mode)
            layers.append((name, accompaniment.strummed(other, spans, name, fret), rng.uniform(-9, 0)))
    keys = _pick(rng, form.keys)
    if keys != "none":
        layers.append((keys, accompaniment.keys(stage, spans, keys), rng.uniform(-10, -1)))
    if rng.random() < form.bass:
        name = "electric bass" if rng.random() < 0.7 else "double bass"
        layers.append((name, accompaniment.bass(stage, spans, name), rng.uniform(-7, 2)))
    # Drums alone do not keep singers in tune: they come last, and only beside something with pitch.
    kit = _pick(rng, form.drums)
    if kit != "none" and (layers or kit in ("claps", "stomps")):
        drums = accompaniment.drums(stage, kit)
        layers.append((kit, drums, rng.uniform(-10, 0)))
    return layers
