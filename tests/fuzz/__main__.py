"""Fuzz one reader or writer: ``python -m tests.fuzz TARGET --runs 1000000``.

With ``atheris`` (``pip install '.[fuzz]'``), inputs are chosen by what they reach in the code. ``--random``
does without, by chance alone. The last lines tell how many inputs were tried and how fast. An input that
fails is kept in ``--folder`` and shown with the exception that it caused; ``--input FILE`` tries one again.
``--large`` tries inputs of a megabyte, made of a piece of a seed over and over, and tells which took longest.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import tempfile
import time
from pathlib import Path

LARGE = 1 << 20
INSTRUMENTED = [
    f"tfkey.{name}" for name in ("tags", "audio", "key_tables", "known_keys", "keys", "key_spellings")
]


def main() -> None:
    """Run the fuzzer."""
    names = _names()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=names, metavar="TARGET", help=f"one of {', '.join(names)}")
    parser.add_argument("--runs", type=int, default=100_000, help="inputs (default: 100000)")
    parser.add_argument("--seconds", type=int, default=0, help="stop after so many (default: never)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--longest", type=int, help="length of the inputs in bytes (default: the target's own)"
    )
    parser.add_argument("--folder", type=Path, help="where inputs are kept (default: a new one below /tmp)")
    parser.add_argument("--random", action="store_true", help="do without atheris")
    parser.add_argument(
        "--large", action="store_true", help="try inputs of a megabyte (default: 200 of them)"
    )
    parser.add_argument("--input", type=Path, help="try the input in this file, nothing else")
    options = parser.parse_args()
    if options.large:
        options.runs = min(options.runs, 200)
        _try_large(options)
    elif options.input:
        _target(options).check(options.input.read_bytes())
    elif options.random:
        _try_random(options)
    else:
        _try_atheris(options)


def _names() -> list[str]:
    # Not by an import: atheris must see the modules first.
    text = Path(__file__).with_name("targets.py").read_text(encoding="utf-8")
    return [line.split('"')[1] for line in text.splitlines() if line.startswith('    "')]


def _target(options: argparse.Namespace):
    from tests.fuzz.targets import TARGETS

    return TARGETS[options.target]


def _keep(folder: Path | None, data: bytes) -> Path:
    place = folder or Path(tempfile.mkdtemp(prefix="tfkey-fuzz-"))
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"found-{len(data)}"
    path.write_bytes(data)
    return path


def _try_random(options: argparse.Namespace) -> None:
    from tests.fuzz.mutation import mutated

    target = _target(options)
    seeds, chance, start = target.seeds(), random.Random(options.seed), time.monotonic()
    for _ in range(options.runs):
        data = mutated(seeds, chance, options.longest or target.longest)
        _check(options, target, data)
    _report(options.runs, time.monotonic() - start)


def _check(options: argparse.Namespace, target, data: bytes) -> None:
    try:
        target.check(data)
    except Exception:
        print(f"found, kept in {_keep(options.folder, data)}: {data[:400]!r}", file=sys.stderr)
        raise


def _report(runs: int, seconds: float) -> None:
    print(f"{runs} inputs in {seconds:.0f} s, {runs / seconds:.0f} a second, nothing found")


def _try_large(options: argparse.Namespace) -> None:
    from tests.fuzz.mutation import mutated

    target = _target(options)
    seeds, chance = target.seeds(), random.Random(options.seed)
    slowest = (0.0, b"")
    for _ in range(options.runs):
        front = mutated(seeds, chance, 4096)
        piece = mutated(seeds, chance, 4096)
        begin = chance.randrange(len(piece) + 1)
        piece = piece[begin : begin + chance.choice((1, 2, 3, 4, 8, 12, 30, 200))] or b"\xff"
        data = (front[: chance.randrange(len(front) + 1)] + piece * (LARGE // len(piece)))[:LARGE]
        start = time.process_time()
        _check(options, target, data)
        slowest = max(slowest, (time.process_time() - start, data[:80] + b" ... " + data[-40:]))
    print(f"{options.runs} inputs of 1 MiB; the slowest took {slowest[0]:.2f} s: {slowest[1]!r}")


def _try_atheris(options: argparse.Namespace) -> None:
    try:
        import atheris
    except ImportError:
        raise SystemExit("needs atheris: pip install '.[fuzz]' (or give --random)") from None
    with atheris.instrument_imports(include=INSTRUMENTED):
        importlib.import_module("tests.fuzz.targets")
    target = _target(options)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="tfkey-fuzz-"))
    corpus = folder / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    longest = options.longest or target.longest
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data[:longest])
    arguments = [
        sys.argv[0], str(corpus), f"-runs={options.runs}", f"-seed={options.seed}", f"-max_len={longest}",
        "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1",
        f"-max_total_time={options.seconds}", f"-artifact_prefix={folder}/",
    ]  # fmt: skip
    atheris.Setup(arguments, target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
