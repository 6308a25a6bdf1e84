"""Clips of tunes: from a key and a scale with its plan to audio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.synthetic.accompaniments import parts as midi
from pipelines.synthetic.accompaniments.generator import Tools
from pipelines.synthetic.accompaniments.midi import midi_bytes
from pipelines.synthetic.accompaniments.rendering import render
from pipelines.synthetic.clip import SAMPLES, SECONDS, Clip, draw_cents, finished
from pipelines.synthetic.effects import balanced
from pipelines.synthetic.songs import melody_instruments, recording
from pipelines.synthetic.songs.notes import Note, moved
from pipelines.synthetic.songs.stage import Stage
from pipelines.synthetic.tunes import backing, modes
from pipelines.synthetic.tunes.composition import compose, weighted
from pipelines.synthetic.tunes.dances import DANCES, Dance
from pipelines.synthetic.tunes.heterophony import own_version
from pipelines.synthetic.tunes.players import Player, draw_players, midi_notes, within
from pipelines.synthetic.tunes.rounds import Round, go_round, swayed
from tfkey.errors import UsageError
from tfkey.keys import Key, Mode

_RECORDINGS = {"studio": 0.24, "live": 0.36, "rough": 0.2, "telephone": 0.08, "radio": 0.04, "cassette": 0.08}
_SECONDS_A_BEAT = 60.0
"""Tempo of the MIDI files: one beat a second, so that times are in seconds."""


def groups(mode: Mode) -> list[str]:
    """Return the groups of a mode: a scale and the harmony behind its bars, ``dorian - i i bVII ...``."""
    return modes.group_names(mode)


def tune(rng: np.random.Generator, key: Key, group: str, tools: Tools) -> Clip:
    """Compose, play and record a tune.

    Args:
        rng: draws everything that key and group leave open.
        key: the key. Dorian and aeolian tunes are minor, mixolydian ones major.
        group: one of ``groups(key.mode)``.
        tools: the soundfonts.

    Returns:
        the clip. Its settings name the dance, the scale, the tempo in beats per minute, the tuning in cents,
        the instruments, what is behind them, and the recording.

    Raises:
        UsageError: the group is not one of ``groups(key.mode)``, or no soundfont is given.
        DataError: a soundfont cannot be read.
    """
    if group not in groups(key.mode):
        raise UsageError(f"{group!r} is not a group of tunes in {key.mode}")
    if not tools.soundfonts:
        raise UsageError("tunes need at least one soundfont")
    scale_name, plan = group.split(" - ", 1)
    cents = draw_cents(rng)
    dance_name = weighted(rng, {name: dance.share for name, dance in DANCES.items()})
    dance = DANCES[dance_name]
    parts = compose(rng, dance, scale_name, plan)
    tune_round = go_round(rng, parts, dance)
    players = draw_players(rng)
    drones = max(player.instrument.drones for player in players)
    behind = backing.draw_backing(rng, drones=drones, free=dance.free)
    stage = Stage(rng, tune_round.clock, key.tonic, cents, _bar(dance), tune_round.last)

    layers, band = _unison(stage, tune_round, players, dance, scale_name)
    if behind.drone != "none":
        band.append(backing.drone_part(rng, behind.drone, key.tonic, cents))
    if behind.kind != "none":
        spans = backing.harmonised(rng, tune_round.harmony, open_fifths=behind.kind == "fifths")
        strings, more = backing.played(stage, tune_round, behind.kind, spans)
        layers += strings
        band += more
    if behind.pulse != "none":
        layers.append(backing.pulse(stage, behind.pulse, dance.division))
    soundfont = tools.soundfonts[int(rng.integers(len(tools.soundfonts)))]
    if band:
        played = render(midi_bytes(band, _SECONDS_A_BEAT, SECONDS, rng), soundfont, 0.0)
        layers.append(("soundfont", _fitted(played), rng.uniform(-3, 0) + 10 * np.log10(_leads(band))))
    mix = balanced([layer for _, layer, _ in layers], [level for *_, level in layers])
    mix, recorded = recording.record(mix, weighted(rng, _RECORDINGS), rng)
    settings: dict[str, float | str] = {
        "dance": dance_name,
        "scale": scale_name,
        "parts": len(parts),
        "tempo": round(60 / tune_round.clock.beat, 1),
        "cents": round(cents, 1),
        "ending": int(tune_round.ends),
        "instruments": ", ".join(_described(player) for player in players),
        "backing": behind.kind,
        "drone": behind.drone,
        "pulse": behind.pulse,
        "soundfont": soundfont.name if band else "none",
    }
    return Clip(finished(mix, rng), settings | recorded)


def _bar(dance: Dance) -> int:
    """Return the bar of those who strum: 2 beats in threes, 3, or 4."""
    return 3 if dance.beats == 3 else 2 if dance.beats == 2 and dance.division == 3 else 4


def _leads(band: Sequence[midi.Part]) -> int:
    return max(1, sum(part.role == "lead" for part in band))


def _described(player: Player) -> str:
    return f"{player.name} {'synthesised' if player.program is None else player.program}"


def _fitted(samples: np.ndarray) -> np.ndarray:
    out = np.zeros(SAMPLES, np.float32)
    out[: min(SAMPLES, len(samples))] = samples[:SAMPLES]
    return out


def _unison(
    stage: Stage, tune_round: Round, players: Sequence[Player], dance: Dance, scale_name: str
) -> tuple[backing.Layers, list[midi.Part]]:
    """Let all players play a tune: synthesised ones as layers, the others as parts for the soundfont."""
    rng = stage.rng
    notes = tune_round.notes
    base = stage.near(0, rng.uniform(69, 75) - float(np.median([note.pitch for note in notes])))
    layers: backing.Layers = []
    band: list[midi.Part] = []
    sway = np.random.default_rng(rng.integers(2**32))
    seed, depth = sway.integers(2**32), sway.uniform(0.1, 0.9)
    for player in players:
        played = performance(stage, notes, scale_name, player)
        if dance.free:
            # All players sway together.
            played = swayed(played, np.random.default_rng(seed), depth=depth)
        pitched = [
            Note(n.start, n.end, within(n.pitch + 12 * player.octave, player.instrument), n.velocity)
            for n in moved(played, base)
        ]
        if player.program is None:
            name = player.instrument.synthesised
            layer = melody_instruments.play(pitched, name, SAMPLES, rng, stage.cents + player.cents)
            layers.append((player.name, layer, rng.uniform(-5, 0)))
        else:
            volume = int(rng.integers(70, 120))
            own = midi_notes(pitched, player.instrument, rng)
            band.append(midi.Part("lead", player.program, own, volume, stage.cents + player.cents))
    return layers, band


def performance(stage: Stage, notes: Sequence[Note], scale_name: str, player: Player) -> list[Note]:
    """Return a player's version of a tune, in seconds and semitones above the tonic, in order."""
    rng, habits = stage.rng, player.habits
    own = own_version(rng, notes, modes.SCALES[scale_name].degrees, habits)
    played = sorted(stage.clock.played(own, rng, habits.jitter), key=lambda note: note.start)
    late = [Note(n.start + habits.lag, n.end + habits.lag, n.pitch, n.velocity) for n in played]
    return [note for note in late if note.end > 0 and note.start < SECONDS and note.end > note.start]
