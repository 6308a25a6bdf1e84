"""The forms of songs: their progressions, tempos, singers and bands."""

from __future__ import annotations

from pipelines.synthetic.songs.form import Form

_LOOPS = {"solo": 0.45, "unison": 0.2, "thirds": 0.25, "none": 0.1}

FORMS: dict[str, Form] = {
    "strummed": Form(
        progressions={
            "major": (
                "I V vi IV", "I IV V I", "I IV I V", "I vi IV V", "I iii IV V", "I I IV V", "I ii V I",
                "I bVII IV I", "I IV ii V", "vi IV I V", "I V IV IV", "IV I V vi", "ii IV I I",
                "I V ii IV", "I I V V I I V I",
            ),
            "minor": (
                "i bVII bVI bVII", "i bVI bIII bVII", "i iv V i", "i bVII i bVII", "i bIII bVII iv",
                "i iv i V", "i bVII IV i", "i bIII bVI V", "i v iv i",
            ),
        },
        tempo=(70, 150),
        bars={4: 0.8, 3: 0.1, 2: 0.1},
        phrases=(2, 4),
        singers=_LOOPS,
        guitars={"strummed": 0.8, "picked": 0.2},
        bass=0.55,
        keys={"none": 0.8, "harmonium": 0.1, "accordion": 0.1},
        drums={"none": 0.5, "claps": 0.1, "stomps": 0.1, "shaker": 0.1, "kit": 0.1, "loud kit": 0.15},
    ),
    "folk": Form(
        progressions={
            "major": (
                "I I IV I I I V V I I IV I I V I I", "I IV I V I IV V I", "I V I I IV I V I",
                "I bVII I I I bVII I I", "I vi IV I I IV V I",
            ),
            "minor": (
                "i i bVII i i i bVII i", "i bVII i i bIII bVII i i", "i IV i bVII i IV bVII i",
                "i iv i V i iv V i",
            ),
        },
        tempo=(75, 140),
        bars={4: 0.45, 3: 0.3, 2: 0.25},
        phrases=(2, 4),
        singers={"solo": 0.5, "unison": 0.15, "thirds": 0.2, "none": 0.15},
        guitars={"strummed": 0.35, "picked": 0.55, "none": 0.1},
        bass=0.3,
        keys={"none": 0.75, "accordion": 0.15, "harmonium": 0.1},
        drums={"none": 0.75, "shaker": 0.1, "stomps": 0.15},
        swing=0.15,
        pentatonic=0.35,
        lead=0.5,
    ),
    "pop": Form(
        progressions={
            "major": (
                "I V vi IV", "vi IV I V", "I vi IV V", "IV V I vi", "I iii vi IV", "I IV vi V",
                "I II IV I", "I I7 IV iv", "I V IV V", "Imaj7 IVmaj7 I V",
            ),
            "minor": (
                "i bVI bIII bVII", "bVI bVII i i", "i bVII bVI V", "i iv bVI bVII", "i bIII iv bVI",
                "i v bVI iv",
            ),
        },
        tempo=(75, 135),
        bars={4: 0.95, 3: 0.05},
        phrases=(2, 4),
        singers={"solo": 0.6, "thirds": 0.25, "unison": 0.15},
        guitars={"strummed": 0.5, "picked": 0.2, "none": 0.3},
        bass=0.85,
        keys={"none": 0.3, "piano": 0.3, "electric piano": 0.15, "strings": 0.15, "drawbar organ": 0.1},
        drums={"kit": 0.4, "busy kit": 0.3, "loud kit": 0.2, "none": 0.1},
        swing=0.1,
        pentatonic=0.3,
        lead=0.3,
        trained=0.05,
        mistuned=(2.0, 10.0),
    ),
    "rock ballad": Form(
        progressions={
            "major": (
                "I V vi IV I V IV IV", "I iii IV iv", "I bVII IV IV", "I vi ii V",
                "I V vi iii IV I IV V",
            ),
            "minor": (
                "i bVII bVI bVI", "i bVI bIII bVII i bVI V V", "i iv bVII bIII", "i bIII bVII IV",
            ),
        },
        tempo=(60, 90),
        bars={4: 0.8, 2: 0.2},
        phrases=(2,),
        singers={"solo": 0.7, "thirds": 0.3},
        guitars={"power": 0.5, "picked": 0.25, "strummed": 0.25},
        bass=0.9,
        keys={"none": 0.4, "piano": 0.25, "drawbar organ": 0.2, "strings": 0.15},
        drums={"kit": 0.7, "busy kit": 0.2, "none": 0.1},
        swing=0.0,
        pentatonic=0.35,
        lead=0.35,
        trained=0.1,
    ),
    "rock": Form(
        progressions={
            "major": (
                "I I IV V", "I bVII IV I", "I IV bVII IV", "I bIII IV I", "I5 IV5 V5 IV5",
            ),
            "minor": (
                "i bVII bVI bVII", "i bIII bVII IV", "i5 bVI5 bVII5 i5", "i bIII iv i", "i i bVII bVI",
            ),
        },
        tempo=(100, 170),
        bars={4: 1.0},
        phrases=(2, 4),
        singers={"solo": 0.7, "unison": 0.2, "thirds": 0.1},
        guitars={"power": 0.7, "strummed": 0.3},
        bass=0.95,
        keys={"none": 0.8, "drawbar organ": 0.1, "old piano": 0.1},
        drums={"kit": 0.2, "busy kit": 0.3, "loud kit": 0.5},
        swing=0.05,
        pentatonic=0.5,
        lead=0.3,
        trained=0.0,
        mistuned=(5.0, 20.0),
    ),
    "blues": Form(
        progressions={
            "major": (
                "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7", "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 I7",
            ),
            "minor": (
                "i i i i iv iv i i bVI V7 i i", "i iv i i iv iv i i v iv i i",
            ),
        },
        tempo=(65, 140),
        bars={4: 0.85, 2: 0.15},
        phrases=(4,),
        singers={"solo": 0.85, "none": 0.15},
        guitars={"strummed": 0.5, "picked": 0.4, "none": 0.1},
        bass=0.6,
        keys={"none": 0.6, "old piano": 0.25, "drawbar organ": 0.15},
        drums={"none": 0.3, "kit": 0.2, "loud kit": 0.2, "stomps": 0.2, "shaker": 0.1},
        swing=0.8,
        pentatonic=1.0,
        lead=0.4,
        trained=0.0,
        mistuned=(5.0, 18.0),
        blue=True,
    ),
    "hymn": Form(
        progressions={
            "major": (
                "I I IV I V I V V I IV I vi ii V I I", "I V vi IV I V I I IV I ii V vi IV V I",
                "I IV I I I V V7 I", "I vi IV V I IV V I",
            ),
            "minor": (
                "i V i iv i V V i bIII bVII bVI iv i V i i", "i iv V i i iv V i",
                "i bVII bIII V i iv V i",
            ),
        },
        tempo=(60, 105),
        bars={4: 0.6, 3: 0.4},
        chord_beats=(1, 2),
        phrases=(2, 4),
        singers={"parts": 0.75, "unison": 0.25},
        guitars={"none": 1.0},
        bass=0.0,
        keys={"none": 0.4, "church organ": 0.35, "harmonium": 0.15, "piano": 0.1},
        drums={"none": 1.0},
        swing=0.0,
        pentatonic=0.05,
        lead=0.0,
        trained=0.5,
    ),
    "shanty": Form(
        progressions={
            "major": (
                "I I V V I I V I", "I IV I V I IV V I", "I I IV I I V I I",
            ),
            "minor": (
                "i i bVII bVII i i bVII i", "i bVII i v i bVII v i", "i bVII bVI bVII i bVII i i",
            ),
        },
        tempo=(80, 140),
        bars={4: 0.6, 2: 0.4},
        phrases=(2,),
        singers={"response": 0.9, "unison": 0.1},
        guitars={"none": 0.6, "strummed": 0.4},
        bass=0.1,
        keys={"none": 0.75, "accordion": 0.25},
        drums={"none": 0.4, "stomps": 0.45, "claps": 0.15},
        swing=0.2,
        pentatonic=0.25,
        lead=0.2,
        trained=0.0,
        mistuned=(8.0, 30.0),
    ),
    "a cappella": Form(
        progressions={
            "major": (
                "I IV I V I IV V I", "I bVII I I I bVII IV I", "I V vi IV I V I I", "I I IV I V V I I",
            ),
            "minor": (
                "i bVII i i bVII bVII i i", "i iv i V i iv V i", "i bVII bVI v i bVII i i",
            ),
        },
        tempo=(60, 120),
        bars={4: 0.6, 3: 0.25, 2: 0.15},
        phrases=(2, 4),
        singers={"solo": 0.35, "unison": 0.2, "thirds": 0.2, "parts": 0.15, "humming": 0.1},
        guitars={"none": 1.0},
        bass=0.0,
        keys={"none": 1.0},
        drums={"none": 0.85, "claps": 0.1, "stomps": 0.05},
        swing=0.1,
        pentatonic=0.3,
        lead=0.0,
        trained=0.1,
        mistuned=(5.0, 25.0),
    ),
    "waltz": Form(
        progressions={
            "major": (
                "I I V V V V I I", "I IV V I I IV V I", "I I7 IV IV I V I I",
            ),
            "minor": (
                "i i V V V V i i", "i iv V i i iv V i", "i bVII bVI V i iv V i",
            ),
        },
        tempo=(90, 170),
        bars={3: 1.0},
        phrases=(4,),
        singers={"solo": 0.4, "thirds": 0.25, "unison": 0.15, "none": 0.2},
        guitars={"strummed": 0.6, "picked": 0.2, "none": 0.2},
        bass=0.6,
        keys={"none": 0.4, "accordion": 0.4, "piano": 0.2},
        drums={"none": 0.6, "kit": 0.4},
        swing=0.0,
        pentatonic=0.1,
        lead=0.4,
    ),
    "country": Form(
        progressions={
            "major": (
                "I I V V V V I I", "I IV I V I IV V I", "I I IV IV V V I I", "I V I IV I V V7 I",
            ),
            "minor": (
                "i i iv iv V V i i", "i bVII i V i bVII V i",
            ),
        },
        tempo=(85, 140),
        bars={4: 0.85, 3: 0.15},
        phrases=(4, 2),
        singers={"solo": 0.6, "thirds": 0.4},
        guitars={"strummed": 0.6, "picked": 0.4},
        bass=0.9,
        keys={"none": 0.7, "old piano": 0.3},
        drums={"kit": 0.5, "shaker": 0.2, "none": 0.3},
        swing=0.25,
        pentatonic=0.4,
        lead=0.5,
    ),
}  # fmt: skip
"""The forms by name."""
