"""How styles are played: tempo, progressions and swing, for tfkey's own by table, for MMA's by their name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.synthetic.accompaniments.styles import BY_NAME

_TRIPLETS = 1 / 6


@dataclass(frozen=True)
class Manner:
    """How a style is played; see :class:`~pipelines.synthetic.accompaniments.styles.Style` for the fields."""

    tempo: tuple[float, float]
    families: tuple[str, ...]
    colours: tuple[str, ...]
    swing: float = 0.0


# The first pattern found in the name of a style file decides.
_BY_WORD: tuple[tuple[str, Manner], ...] = tuple(
    (words, Manner(tempo, tuple(families.split()), tuple(colours.split()), swing))
    for words, tempo, families, colours, swing in (
        ("metal|mtl|hrk|thr|punk|w-rock|hard", (110, 180), "rock modal", "plain power power", 0.0),
        ("blues|boggie|boogie", (75, 150), "blues", "plain sevenths", _TRIPLETS),
        ("jazzrock|fusion|fus16|lfusion", (90, 140), "modal jazz", "sevenths rich", 0.0),
        ("bossa|samba|quando|latin|rhumba|beguine", (95, 160), "latin jazz", "rich sevenths plain", 0.0),
        ("salsa|mambo|chacha|merengue|son$|afro|cuban|bolero|calypso|tango|desert", (95, 170), "latin modal pop",
         "plain sevenths", 0.0),
        ("waltz|34$", (90, 180), "folk march jazz pop", "plain sevenths", 0.0),
        ("slow.*(jazz|swing|bigband)|mellow|evans|nite", (60, 110), "jazz", "rich sevenths", _TRIPLETS),
        ("bebop|fast.*(jazz|swing|bigband)", (170, 250), "jazz blues", "rich sevenths", _TRIPLETS),
        ("jazz|swing|bigband|jive|foxtrot|strut|softshoe|charleston|broadway|showtune", (100, 200), "jazz blues folk",
         "rich sevenths sevenths", _TRIPLETS),
        ("ballad|slow|serenade|lullaby|bald", (58, 98), "pop jazz folk", "plain sevenths rich", 0.0),
        ("march|polka|dixie|ragtime|quickstep|zydeco|hymn|spiritual", (90, 150), "march folk", "plain sevenths", 0.0),
        ("country|cntry|bluegrass|folk|western|hillcountry|kwest", (85, 170), "folk pop", "plain", 0.0),
        ("shuffle|twist|twi$", (95, 160), "rock blues pop", "plain sevenths", _TRIPLETS),
        ("funk|soul|r\\+b|rb|rnb|motown|hiphop|hip-hop|trip|dsoul", (78, 120), "modal pop blues", "sevenths plain rich", 0.0),
        ("techno|house|trance|rave|dance|dnb|disco|boneym|ambient", (105, 150), "pop modal rock", "plain sevenths", 0.0),
        ("reggae|ska", (70, 150), "pop rock", "plain", 0.0),
        ("rock", (95, 160), "rock pop", "plain plain power", 0.0),
        ("", (80, 150), "pop rock folk", "plain sevenths", 0.0),
    )
)  # fmt: skip


def manner_of(group: str) -> Manner:
    """Return how to play a group: ``own:`` or ``mma:`` and the name of a style."""
    kind, name = group.split(":", 1)
    if kind == "own":
        style = BY_NAME[name]
        return Manner(style.tempo, style.families, style.colours, style.swing)
    return next(manner for words, manner in _BY_WORD if re.search(words, name.split("/")[-1]))
