"""Numbers in the handbook that are no measurements: settings, definitions, versions."""

from __future__ import annotations

_PACKAGE = (
    "Python|TensorFlow|PyTorch|Keras|NumPy|librosa|nnAudio|torch|libsndfile|OpenAPI|WCAG|axe-core|Apache|"
    "`librosa.cqt`|Debian"
)
_VERSION = r"\d+(?:\.\d+)*"
ALLOWED: list[tuple[str, str, str]] = [
    ("*", r"95 %", "the level of every interval"),
    ("*", rf"(?:{_PACKAGE})[ -]{_VERSION}(?:,? (?:to|and|or) {_VERSION})*", "versions"),
    ("*", r"22,050 Hz|44\.1 kHz", "sample rates, which are settings"),
    ("CONTRIBUTING.md", r"(?m)^\| \d \|", "floors of the building"),
    ("README.md", r"(?m)^\| 3\.1\d \|", "versions of Python"),
    ("README.md", r"as on 3\.12", "a version of Python"),
    ("README.md", r"about 10 GB of audio", "the size of a download"),
    ("*", r"\b30 s\b", "the length of the files that are measured"),
    ("tests/benchmarks/README.md", r"128 intervals|15 s intervals", "settings of the benchmarks"),
    ("tests/benchmarks/README.md", r"-5 to \+6 semitones", "settings of the benchmarks"),
    ("docs/exit-codes.md", r"(?m)^\| [\d, ]+ \|", "exit codes"),
    ("docs/predict.md", r"(?m)^\| [\d, ]+ \|", "exit codes"),
    ("docs/predict.md", r"1,400 pixels", "the width of pictures, which is a constant"),
    ("docs/cluster.md", r"shard of 16 tracks|next 8 files|256 files per run", "constants"),
    ("docs/cluster.md", r"(?m)^\| `cache_gb` \| 20 \|", "the default of a setting"),
    ("docs/data.md", r"21\.5 per second by default", "settings"),
    ("docs/data.md", r"differs from 1 by more than\s+0\.02", "the tolerance of votes, which is a constant"),
    ("docs/data.md", r"36 s\s+each", "a setting of the synthetic datasets"),
    ("docs/data.md", r"About 4 GB are transferred", "the size of a download"),
    ("docs/data.md", r"makes 96 clips", "a setting of the synthetic datasets"),
    (
        "docs/file-formats.md",
        r"C major to B major are 0 to 11, C minor to B minor are 12 to 23",
        "class indices",
    ),
    ("docs/file-formats.md", r"24 probabilities", "the number of keys"),
    (
        "docs/*.md",
        r"1 for the right key, 0\.5 for a fifth, 0\.3 for the relative key, 0\.2 for\s+the parallel key",
        "the definition of the score",
    ),
    ("docs/how-it-works.md", r"confidence of 0\.8 is right 8 times in 10", "what calibration means"),
    ("docs/questions.md", r"about 7 in\s+10 answers with a confidence of 0\.7", "what calibration means"),
    ("docs/questions.md", r"below\s+0\.6", "the value of the option in the example"),
    ("docs/cluster.md", r"every 20 seconds|within 2\s+minutes", "times of the lock, which are constants"),
    ("docs/training.md", r"did not reach 90 % of its score", "the threshold of the benchmark"),
    ("docs/serve/README.md", r"\(5\s+seconds\)|\(30 seconds\)", "steps of keys, which are constants"),
    ("docs/serve/service.md", r"\b4\d\d and 4\d\d\b", "status codes"),
    (
        "configs/cards/general.md",
        r"5\.4 frames per\s+second|intervals of 36 seconds",
        "settings of the network",
    ),
    ("configs/cards/general.md", r"\(0\.6 and 0\.4\)", "weights, which are settings of the recipe"),
    ("configs/cards/general.md", r"120 hours composed", "a setting of the recipe"),
]
"""Numbers that are no measurements: page, expression, reason."""
