"""The plan of a clip: its key, harmony, tempo, layers and form, before any note is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic import harmony
from pipelines.synthetic.clip import SAMPLE_RATE, SECONDS, draw_cents
from pipelines.synthetic.electronic.progressions import SCALES, draw_scale, progression
from pipelines.synthetic.electronic.styles import STYLES, Style
from tfkey.keys import Key

SECTION_BEATS = 8
"""Length of a section: layers enter and drop out at its borders."""

# How often a layer is in a clip at all.
_LAYERS = {
    "kick": 0.93, "snare": 0.75, "hats": 0.85, "percussion": 0.25,
    "bass": 0.93, "pad": 0.5, "stabs": 0.42, "arpeggio": 0.35, "riff": 0.42, "acid": 0.1, "lead": 0.35,
    "vocal": 0.1,
    "speech": 0.05, "noise": 0.25, "risers": 0.2,
}  # fmt: skip
DRUMS = ("kick", "snare", "hats", "percussion")
CHORDS = ("pad", "stabs", "arpeggio")
"""The layers that play whole chords."""
ATONAL = (*DRUMS, "speech", "noise", "risers")
"""The layers that have no pitch, or pitches that are not of the key."""

_FORMS = {"loop": 0.45, "build": 0.2, "breakdown": 0.2, "intro": 0.15}


def draw(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a name by its weight; the weights need not sum to 1."""
    shares = np.array(list(weights.values()), np.float64)
    return str(rng.choice(list(weights), p=shares / shares.sum()))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform, as suits frequencies and times."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclass(frozen=True)
class Piece:
    """The plan of a clip.

    Attributes:
        key: its key.
        scale_name: the scale that it plays, by its name in :data:`SCALES`.
        degrees: the cycle of its chords.
        chord_beats: length of a chord, in beats.
        style_name: its style, by its name in :data:`STYLES`.
        tempo: beats per minute.
        swing: delay of every second sixteenth, in beats.
        cents: its distance from A4 = 440 Hz.
        tonic: the MIDI pitch of the lowest tonic. The octave in which it lies is drawn, so that no key is
            lower than others.
        borrowed: whether chords are borrowed from the parallel mode where that confirms the key: in minor,
            the fifth degree's has a leading tone; in major, the fourth degree's is minor before the tonic's.
        form: how its layers enter and drop out.
        layers: for each layer in the clip, whether it plays in each section.
    """

    key: Key
    scale_name: str
    degrees: tuple[int, ...]
    chord_beats: int
    style_name: str
    tempo: float
    swing: float
    cents: float
    tonic: int
    borrowed: bool
    form: str
    layers: Mapping[str, tuple[bool, ...]]

    @property
    def style(self) -> Style:
        """The style."""
        return STYLES[self.style_name]

    @property
    def scale(self) -> harmony.Scale:
        """The scale, in semitones above the tonic."""
        return SCALES[self.key.mode][self.scale_name].scale

    @property
    def beats(self) -> int:
        """How many beats the clip takes, the last of which it may cut."""
        return beats_of(self.tempo)

    def sample_at(self, beat: float) -> int:
        """Return the sample at which a beat is, swing included."""
        sixteenth = beat * 4
        late = self.swing if abs(sixteenth - round(sixteenth)) < 1e-6 and round(sixteenth) % 2 else 0.0
        return round((beat + late) * 60 / self.tempo * SAMPLE_RATE)

    def samples_of(self, beats: float) -> int:
        """Return the length in samples of a number of beats."""
        return max(1, round(beats * 60 / self.tempo * SAMPLE_RATE))

    def root_at(self, beat: float) -> int:
        """Return the degree of the chord at a beat."""
        return self.degrees[int(beat // self.chord_beats) % len(self.degrees)]

    def plays(self, layer: str, beat: float) -> bool:
        """Tell whether a layer plays at a beat."""
        sections = self.layers.get(layer)
        return sections is not None and sections[min(int(beat // SECTION_BEATS), len(sections) - 1)]

    def pitch(self, degree: int, octave: int = 0) -> int:
        """Return the MIDI pitch of a degree of the scale, octaves above the lowest tonic."""
        return self.tonic + 12 * octave + harmony.degree(self.scale, degree)

    def chord_at(self, beat: float, size: int) -> list[int]:
        """Return the chord at a beat, built of so many thirds, in semitones above the tonic."""
        root = self.root_at(beat)
        tones = [harmony.degree(self.scale, root + 2 * number) for number in range(size)]
        if self.borrowed and size > 1:
            if self.key.mode == "minor" and root == 4:
                tones[1] = tones[0] + 4
            elif self.key.mode == "major" and root == 3 and self.root_at(beat + self.chord_beats) == 0:
                tones[1] = tones[0] + 3
        return tones

    def hertz(self, pitch: float) -> float:
        """Return the frequency of a MIDI pitch in the tuning of the clip."""
        return harmony.hertz(pitch, self.cents)


def beats_of(tempo: float) -> int:
    """Return how many beats a clip of a tempo takes."""
    return math.ceil(SECONDS * tempo / 60)


def draw_piece(rng: np.random.Generator, key: Key, group: str) -> Piece:
    """Draw the plan of a clip in a key over a progression.

    Raises:
        UsageError: the mode has no progression of that name.
    """
    degrees = progression(key.mode, group)
    style_name = draw(rng, {name: style.share for name, style in STYLES.items()})
    style = STYLES[style_name]
    chord_beats = int(draw(rng, {str(beats): share for beats, share in style.chord_beats.items()}))
    # The tonic returns at least every eight bars.
    while chord_beats * len(degrees) > 32:
        chord_beats //= 2
    tempo = float(rng.uniform(*style.tempo))
    lowest = int(rng.integers(26, 34))
    used = {name for name, share in _LAYERS.items() if rng.random() < share * style.likelier.get(name, 1)}
    # Without a chord in the clip, nothing but chance decides whether its mode can be heard.
    if not used.intersection(CHORDS) and ("riff" not in used or rng.random() < 0.6):
        used.add(str(rng.choice(CHORDS)))
    form = draw(rng, _FORMS)
    if form == "intro" and not used.intersection(DRUMS):
        form = "loop"
    return Piece(
        key=key,
        scale_name=draw_scale(rng, key.mode, degrees),
        degrees=degrees,
        chord_beats=chord_beats,
        style_name=style_name,
        tempo=tempo,
        swing=float(rng.uniform(0, style.swing)) if rng.random() < 0.5 else 0.0,
        cents=draw_cents(rng),
        tonic=lowest + (key.tonic - lowest) % 12,
        borrowed=bool(rng.random() < (0.3 if key.mode == "minor" else 0.1)),
        form=form,
        layers=_arrange(rng, used, form, math.ceil(beats_of(tempo) / SECTION_BEATS)),
    )


def _arrange(
    rng: np.random.Generator, used: set[str], form: str, sections: int
) -> dict[str, tuple[bool, ...]]:
    """Draw in which sections each layer plays."""
    names = [name for name in _LAYERS if name in used]  # sets have no order that is the same in each process
    plan = {name: rng.random(sections) < 0.82 for name in names}
    tonal = [name for name in names if name not in ATONAL]
    start = 0
    if form == "build":
        for name in names:
            plan[name][: int(rng.integers(0, max(1, sections // 2)))] = False
    elif form == "breakdown":
        begin, length = int(rng.integers(1, max(2, sections - 2))), int(rng.integers(1, 4))
        for name in [*DRUMS, "bass"]:
            if name in plan:
                plan[name][begin : begin + length] = False
    elif form == "intro":
        start = int(rng.integers(1, max(2, sections // 4)))
        for name in names:
            plan[name][:start] = name not in tonal
    # The layers by which the key is heard: at least one at any time, but for the intro.
    core = [name for name in tonal if name in (*CHORDS, "riff")]
    silent = ~np.any([plan[name] for name in core], axis=0)
    silent[:start] = False
    plan[str(rng.choice(core))][silent] = True
    if "bass" in plan and plan["bass"].mean() < 0.5:
        plan["bass"][start + (sections - start) // 2 :] = True
    return {name: tuple(bool(on) for on in plays) for name, plays in plan.items()}
