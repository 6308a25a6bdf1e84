"""Random patches for each part of a piece: bass, pad, plucked sound, acid line, lead, voice."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.electronic.patches import VOICES, Patch
from pipelines.synthetic.electronic.piece import Piece, log_uniform
from pipelines.synthetic.electronic.wavetables import SPECTRA, VOWELS, Spectrum, draw_spectrum

_BASS = ("saw", "square", "triangle", "sine", "sine", "pulse", "hollow", "random")
_FM_RATIOS = (0.5, 1, 1, 1, 2, 2, 3, 4, 1.41, 3.53)
"""Ratios of frequency modulation; the last two give bells, whose partials are not harmonic."""


def _starts(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(rng.random(VOICES).tolist())


def _fm(rng: np.random.Generator, index: float) -> dict[str, float]:
    return {
        "fm_index": float(rng.uniform(0.4, index)),
        "fm_ratio": float(rng.choice(_FM_RATIOS)),
        "fm_decay": log_uniform(rng, 0.08, 1.5),
    }


def bass_patch(rng: np.random.Generator, piece: Piece, figure: str) -> Patch:
    """Draw a bass; the figure ``wobble`` moves its filter in time with the beat."""
    reese = rng.random() < (0.5 if piece.style_name == "drum and bass" else 0.15)
    options: dict[str, float] = {
        "cutoff": log_uniform(rng, 150, 3000),
        "resonance": log_uniform(rng, 0.5, 2.5),
        "attack": 0.004,
        "decay": log_uniform(rng, 0.1, 1.5),
        "sustain": float(rng.uniform(0.3, 0.9)),
    }
    if figure == "wobble":
        options |= {
            "wobble": float(rng.uniform(1, 2)),
            "wobble_hertz": piece.tempo / 60 * float(rng.choice([0.5, 1, 1.5, 2, 3])),
            "cutoff": log_uniform(rng, 300, 1200),
        }
    elif rng.random() < 0.4:
        options |= {"sweep": float(rng.uniform(0.5, 3)), "sweep_seconds": log_uniform(rng, 0.05, 0.4)}
    if rng.random() < 0.12:
        options |= _fm(rng, 3)
        options["fm_ratio"] = float(rng.choice([1, 1, 2, 3]))
    spectrum = draw_spectrum(rng, _BASS)
    if options.get("fm_index"):
        spectrum = Spectrum("sine")
    elif figure == "wobble" and rng.random() < 0.25:
        spectrum = Spectrum(f"vowel {rng.choice(list(VOWELS))}")  # the growl of dubstep
    voices, detune = (3, float(rng.uniform(8, 28))) if reese else (1, 0.0)
    return Patch(spectrum, _starts(rng), voices=voices, detune=detune, **options)


def pad_patch(rng: np.random.Generator) -> Patch:
    """Draw a pad: several voices in unison, a slow attack more often than not."""
    options: dict[str, float] = {}
    if rng.random() < 0.25:
        options |= {"wobble": float(rng.uniform(0.3, 1)), "wobble_hertz": log_uniform(rng, 0.1, 4)}
    return Patch(
        draw_spectrum(rng) if rng.random() < 0.9 else Spectrum(f"vowel {rng.choice(list(VOWELS))}"),
        _starts(rng),
        voices=int(rng.integers(2, 8)),
        detune=float(rng.uniform(3, 20)),
        cutoff=log_uniform(rng, 600, 10000),
        attack=log_uniform(rng, 0.01, 0.5),
        decay=2.0,
        sustain=float(rng.uniform(0.6, 1)),
        release=log_uniform(rng, 0.05, 0.8),
        **options,
    )


def plucked_patch(rng: np.random.Generator) -> Patch:
    """Draw a short sound, as for stabs, arpeggios and riffs."""
    options: dict[str, float] = {}
    spectrum = draw_spectrum(rng)
    kind = rng.random()
    if kind < 0.25:
        spectrum = Spectrum("sine")
        options |= _fm(rng, 4)
    elif kind < 0.65:
        options |= {"sweep": float(rng.uniform(0.5, 3.5)), "sweep_seconds": log_uniform(rng, 0.04, 0.5)}
    return Patch(
        spectrum,
        _starts(rng),
        voices=int(rng.choice([1, 1, 2, 3, 5])),
        detune=float(rng.uniform(3, 18)),
        cutoff=log_uniform(rng, 500, 9000),
        resonance=log_uniform(rng, 0.5, 3),
        attack=log_uniform(rng, 0.002, 0.02),
        decay=log_uniform(rng, 0.06, 0.5),
        sustain=float(rng.choice([0.0, 0.05, 0.2, 0.6])),
        release=log_uniform(rng, 0.02, 0.2),
        **options,
    )


def acid_patch(rng: np.random.Generator) -> Patch:
    """Draw the sound of an acid line: one voice through a filter that whistles."""
    return Patch(
        Spectrum(str(rng.choice(["saw", "square"]))),
        _starts(rng),
        cutoff=log_uniform(rng, 250, 700),
        resonance=log_uniform(rng, 2.5, 8),
        sweep=float(rng.uniform(1, 3)),
        sweep_seconds=log_uniform(rng, 0.05, 0.2),
        decay=log_uniform(rng, 0.1, 0.4),
        sustain=float(rng.uniform(0.1, 0.6)),
    )


def lead_patch(rng: np.random.Generator) -> Patch:
    """Draw the sound of a melody."""
    return Patch(
        draw_spectrum(rng, SPECTRA),
        _starts(rng),
        voices=int(rng.choice([1, 1, 3, 5, 7])),
        detune=float(rng.uniform(4, 20)),
        cutoff=log_uniform(rng, 1200, 10000),
        attack=log_uniform(rng, 0.004, 0.05),
        decay=log_uniform(rng, 0.2, 1),
        sustain=float(rng.uniform(0.4, 0.9)),
        release=log_uniform(rng, 0.04, 0.3),
        vibrato=float(rng.choice([0, 0, 15, 25])),
    )


def vocal_patch(rng: np.random.Generator) -> Patch:
    """Draw a voice that sings a vowel."""
    return Patch(
        Spectrum(f"vowel {rng.choice(list(VOWELS))}"),
        _starts(rng),
        voices=int(rng.choice([1, 2, 3])),
        detune=float(rng.uniform(4, 15)),
        attack=log_uniform(rng, 0.02, 0.08),
        decay=1.0,
        sustain=float(rng.uniform(0.6, 0.9)),
        release=log_uniform(rng, 0.05, 0.2),
        vibrato=float(rng.uniform(10, 45)),
    )
