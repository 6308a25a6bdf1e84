"""Accompaniments by the grooves of MMA, Musical MIDI Accompaniment (https://www.mellowood.ca/mma).

MMA is a program with about 300 files of styles and 2,000 grooves under the GNU General Public License. It is
run, not imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pipelines.synthetic.accompaniments.midi import read_midi
from pipelines.synthetic.accompaniments.parts import Part
from pipelines.synthetic.accompaniments.progressions import Chart
from tfkey.errors import DataError

MARKER = "bar"
_SECONDS = 300
"""The longest that MMA may take for a clip; it needs less than one on an idle machine."""

_GROOVE = re.compile(r"^\s*DefGroove\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_TIME = re.compile(r"^\s*Time\s+(\d+)(?:/(\d+))?", re.IGNORECASE | re.MULTILINE)
# Grooves that last a bar or two, or have no pitches.
_PARTIAL = re.compile(
    r"fill|intro|end(ing)?[A-D]?\d*$|1bar|drum|metronome|^null|tacet|count|break", re.IGNORECASE
)
# The folder zoom has rhythms of a drum machine; teamtechno plays other notes than those of the chords.
_WITHOUT_HARMONY = re.compile("stdlib/(metronome.*|none)|zoom/.*|alexis/teamtechno")


class GrooveError(DataError):
    """A groove that MMA cannot play."""


@lru_cache(maxsize=4)
def style_files(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the grooves of each style file, such as ``stdlib/bossanova``, in MMA's folder.

    Raises:
        DataError: the folder holds no styles.
    """
    library = folder / "lib"
    found = {}
    for path in sorted(library.rglob("*.mma")):
        name = path.relative_to(library).as_posix().removesuffix(".mma")
        text = path.read_text(encoding="utf-8", errors="replace")
        grooves = tuple(dict.fromkeys(g for g in _GROOVE.findall(text) if not _PARTIAL.search(g)))
        if grooves and not _WITHOUT_HARMONY.fullmatch(name):
            found[name] = grooves
    if not found:
        raise DataError(f"{library}: holds no styles of MMA; name the folder that contains MMA and lib")
    return found


@lru_cache(maxsize=512)
def beats_of_a_bar(folder: Path, style: str) -> int:
    """Return the beats of a bar, in quarter notes, that a style file declares first; 4 if none."""
    text = (folder / "lib" / f"{style}.mma").read_text(encoding="utf-8", errors="replace")
    match = _TIME.search(text)
    return int(match[1]) * 4 // int(match[2] or 4) if match else 4


def program(folder: Path) -> Path:
    """Return MMA's executable script for its folder: within it, or in ``bin`` beside Debian's ``share/mma``.

    Raises:
        DataError: the folder contains no such script.
    """
    candidates = (folder / "mma.py", folder / "mma", folder.parent.parent / "bin" / "mma")
    for path in candidates:
        if path.is_file():
            return path
    raise DataError(
        f"{folder}: MMA's script is missing; it should be one of {', '.join(map(str, candidates))}"
    )


def play(
    folder: Path, style: str, groove: str, chart: Chart, tonic: int, tempo: float, seed: int
) -> tuple[list[Part], list[float]]:
    """Let MMA play a chart.

    Args:
        folder: MMA's folder.
        style: a name in :func:`style_files`.
        groove: one of its grooves.
        chart: the chords.
        tonic: pitch class of the tonic.
        tempo: beats a minute.
        seed: of MMA's random numbers.

    Returns:
        The parts, and the start of each bar in beats.

    Raises:
        GrooveError: MMA failed; the message ends with what it printed last.
        DataError: MMA cannot be run, or does not end.
    """
    beats = beats_of_a_bar(folder, style)
    lines = [f"RndSeed {seed}", f"Tempo {tempo:g}", f"Use {style}", f"Groove {groove}"]
    for number, bar in enumerate(chart.bars):
        symbols = [chord.symbol(tonic) for chord in bar]
        lines += [f"MidiMark {MARKER}", f"{number + 1} {_in_bar(symbols, beats)}"]
    with tempfile.TemporaryDirectory(prefix="tfkey-mma-") as place:
        source, target = Path(place, "chart.mma"), Path(place, "chart.mid")
        source.write_text("\n".join(lines) + "\n", encoding="ascii")
        _run(folder, source, target, f"{style}, groove {groove}")
        return read_midi(target, MARKER)


def _in_bar(symbols: list[str], beats: int) -> str:
    """Spread the chords of a bar over its beats, as MMA reads them: ``C / F /``."""
    if len(symbols) > beats:
        symbols = symbols[:beats]
    at = {place * beats // len(symbols): symbol for place, symbol in enumerate(symbols)}
    return " ".join(at.get(beat, "/") for beat in range(max(at) + 1))


def _run(folder: Path, source: Path, target: Path, name: str) -> None:
    folder = folder.resolve()
    command = [sys.executable, str(program(folder)), str(source), "-f", str(target)]
    # Nothing of the user's own, such as ~/.mmarc, may change what MMA plays.
    environment = {"MMA_HOME": str(folder), "HOME": str(source.parent), "PYTHONHASHSEED": "0"}
    environment |= {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=source.parent,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"MMA cannot be run on {name}: {error}") from error
    if done.returncode or not target.is_file():
        said = " ".join((done.stdout + done.stderr).split())[-300:]
        raise GrooveError(f"MMA failed on {name}: {said or f'exit status {done.returncode}, no file'}")
