"""``make weights`` killed again and again: ``python -m tests.benchmarks.weights``.

The whole recipe of ``configs/general.yaml`` at a small scale: synthetic music is composed and rendered, a
network is trained, exported and quantised, in a copy of the checkout. It runs twice: once undisturbed, and
once killed by SIGKILL, with all its processes, at random moments, and started again by the same command. Both
must end with the same bytes: spectrograms, manifests, the network and its metadata.

It needs ``make``, and takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.benchmarks.results import add_option, figure, write_results

ROOT = Path(__file__).parents[2]
COPIED = ("tfkey", "pipelines", "scripts", "configs", "Makefile", "setup.cfg", "pyproject.toml")
NAME = "kills"
CORPORA = ("synthetic_electronic", "synthetic_accompaniments", "synthetic_songs")
# The journals of what is finished name times, and the logs of a run name the machine.
COMPARED = ("data/spectrograms/**/*.tfrecord*", "data/spectrograms/**/manifest*", f"tfkey/weights/{NAME}/*")
# The undisturbed run's time is cut into such pieces, on average.
PIECES = (0.1, 0.3)


def copy_checkout(folder: Path, epochs: int) -> Path:
    """Copy the sources, with the small recipe as ``configs/kills.yaml``."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy2(source, folder / name)
    recipe = yaml.safe_load((ROOT / "configs" / "general.yaml").read_text(encoding="utf-8"))
    shares = {name: recipe["shares"][name] for name in CORPORA}
    recipe |= {"datasets": list(CORPORA), "shares": shares, "subsets": dict.fromkeys(CORPORA, "small")}
    recipe["train"] |= {"epochs": epochs, "batch_size": 16}
    text = yaml.safe_dump(recipe, sort_keys=False)
    (folder / "configs" / f"{NAME}.yaml").write_text(text, encoding="utf-8")
    shutil.copy2(ROOT / "configs" / "cards" / "general.md", folder / "configs" / "cards" / f"{NAME}.md")
    return folder


def make_weights(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start ``make weights`` in a process group of its own, with the packages of this environment."""
    venv = Path(sys.prefix)
    command = ["make", "weights", f"NAME={NAME}", f"CORPORA={' '.join(CORPORA)}", f"VENV={venv}"]
    with log.open("ab") as stream:
        return subprocess.Popen(
            # The environment is there; an older setup.cfg does not matter.
            [*command, "-o", str(venv / ".ready")],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def finish(process: subprocess.Popen[bytes], log: Path, seconds: float | None = None) -> bool:
    """Wait for the end; return False if it came by a kill after so many seconds.

    Raises:
        SystemExit: the command failed by itself.
    """
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    if code:
        raise SystemExit(f"{log.read_text(errors='replace')[-3000:]}\nmake weights ended with {code}")
    return True


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that must be the same, by its path."""
    found = sorted({path for pattern in COMPARED for path in folder.glob(pattern) if path.is_file()})
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def main() -> None:
    """Run both and compare their files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=8, help="how often the second run is killed, at most")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--folder", type=Path, help="where to work; kept (default: a temporary one)")
    add_option(parser)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        whole, killed = (copy_checkout(folder / name, arguments.epochs) for name in ("whole", "killed"))
        begun = time.monotonic()
        finish(make_weights(whole, folder / "whole.log"), folder / "whole.log")
        seconds = time.monotonic() - begun
        print(f"undisturbed: {seconds:.0f} s")
        kills = 0
        while kills < arguments.kills:
            pause = draw.uniform(*PIECES) * seconds
            if finish(make_weights(killed, folder / "killed.log"), folder / "killed.log", pause):
                break
            kills += 1
            print(f"killed after {pause:.0f} s")
        else:
            finish(make_weights(killed, folder / "killed.log"), folder / "killed.log")
        first, second = digests(whole), digests(killed)
    differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    print(f"{kills} kills; {len(first)} files, {len(differing)} of which differ")
    for name in differing:
        print(f"  {name}")
    figures = {
        "kills": figure("kills", kills, form=".0f"),
        "files": figure("files compared", len(first), form=".0f"),
        "differing": figure("files that differ", len(differing), form=".0f"),
    }
    write_results(arguments.results, "make weights, killed and started again", figures=figures)
    if differing or not first:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
