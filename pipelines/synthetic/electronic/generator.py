"""Clips of electronic dance music."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.clip import Clip, finished
from pipelines.synthetic.electronic import bass, chords, drums, lines, noises, presets
from pipelines.synthetic.electronic.mixing import mix
from pipelines.synthetic.electronic.patches import Note, Patch, play
from pipelines.synthetic.electronic.piece import Piece, draw_piece
from pipelines.synthetic.electronic.progressions import PROGRESSIONS
from pipelines.synthetic.electronic.speech import speech_line
from tfkey.keys import Key


def groups(mode: str) -> list[str]:
    """Return the names of the progressions of a mode (``major`` or ``minor``), such as ``major 0 4 5 3``.

    The numbers are degrees of the scale; 0 is the tonic.
    """
    return list(PROGRESSIONS[mode])


def electronic(rng: np.random.Generator, key: Key, group: str) -> Clip:
    """Make a clip of house, techno, trance, hip hop, dubstep, drum and bass, or ambient.

    The same seed in another key of the mode gives the same clip, transposed by up to eleven semitones.

    Args:
        rng: draws everything but the key and the progression.
        key: the key of the clip.
        group: its progression, one of :func:`groups` of its mode.

    Raises:
        UsageError: the mode has no progression of that name.
    """
    piece = draw_piece(rng, key, group)
    words: dict[str, float | str] = {
        "style": piece.style_name,
        "tempo": round(piece.tempo, 2),
        "progression": group,
        "scale": piece.scale_name,
        "chord beats": piece.chord_beats,
        "cents": round(piece.cents, 2),
        "tonic pitch": piece.tonic,
        "form": piece.form,
        "layers": ", ".join(piece.layers),
    }
    kicks = piece.style.kicks[int(rng.integers(len(piece.style.kicks)))]
    snares = piece.style.snares[int(rng.integers(len(piece.style.snares)))]
    layers = {name: _layer(rng, piece, name, kicks, snares, words) for name in piece.layers}
    return Clip(finished(mix(rng, piece, layers, kicks), rng), words)


def _layer(
    rng: np.random.Generator,
    piece: Piece,
    name: str,
    kicks: tuple[float, ...],
    snares: tuple[float, ...],
    words: dict[str, float | str],
) -> np.ndarray:
    """Write and play a layer; say in ``words`` what a tonal one is like."""
    if name == "kick":
        return drums.kick_line(rng, piece, kicks)
    if name == "snare":
        return drums.snare_line(rng, piece, snares)
    if name == "hats":
        return drums.hat_line(rng, piece, piece.style.hats)
    if name == "percussion":
        return drums.percussion_line(rng, piece)
    if name == "noise":
        return noises.noise_line(rng)
    if name == "speech":
        return speech_line(rng, piece)
    if name == "risers":
        return noises.riser_line(rng, piece)
    what, patch, notes = _tonal(rng, piece, name, kicks)
    sound = patch.spectrum.name + (" fm" if patch.fm_index else "")
    words[name] = f"{what}, {sound}" if what else sound
    return play(notes, patch, piece)


def _tonal(
    rng: np.random.Generator, piece: Piece, name: str, kicks: tuple[float, ...]
) -> tuple[str, Patch, list[Note]]:
    """Write a layer that has pitches: what it plays in words, its sound, its notes."""
    if name == "bass":
        figure = bass.figure_of(rng, piece)
        return figure, presets.bass_patch(rng, piece, figure), bass.bass_notes(rng, piece, figure, kicks)
    if name == "riff":
        return "", presets.plucked_patch(rng), lines.riff_notes(rng, piece)
    if name == "vocal":
        return "", presets.vocal_patch(rng), lines.riff_notes(rng, piece, "vocal")
    if name == "acid":
        return "", presets.acid_patch(rng), lines.acid_notes(rng, piece)
    if name == "lead":
        return "", presets.lead_patch(rng), lines.lead_notes(rng, piece)
    spelling, voicing = chords.draw_voicing(rng, piece, name)
    if name == "pad":
        return spelling, presets.pad_patch(rng), chords.pad_notes(piece, voicing)
    patch = presets.plucked_patch(rng)
    if name == "arpeggio":
        return spelling, patch, chords.arpeggio_notes(rng, piece, voicing)
    motion, notes = chords.stab_notes(rng, piece, voicing)
    return motion or spelling, patch, notes
