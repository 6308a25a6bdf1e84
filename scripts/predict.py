"""``tfkey predict``."""

from __future__ import annotations

import csv
from pathlib import Path

import click

from scripts.common import list_failures
from tfkey.errors import AudioError, KeyParseError, TfkeyError, UsageError
from tfkey.keys import Key, Notation, relation


@click.command("predict")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--run", type=click.Path(path_type=Path), help="The run to use (default: the newest in --runs-dir)."
)
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option(
    "--notation",
    type=click.Choice([notation.value for notation in Notation]),
    default=Notation.LONG.value,
    show_default=True,
    help="How keys are written.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="A CSV with the columns file and key (or tonic and mode): print the known key beside each answer.",
)
def command(
    paths: tuple[Path, ...], run: Path | None, runs_dir: Path, notation: str, reference: Path | None
) -> None:
    """Name the key of audio files (PATHS: files and folders, searched to the bottom).

    One line a file on stdout: path, key, probability. Files that cannot be read are listed at the end on
    stderr, and the exit code is 1 then.
    """
    known = _read_reference(reference) if reference else {}
    from tfkey.audio import find_audio

    files: list[Path] = []
    for path in paths:
        found = find_audio(path) if path.is_dir() else [path]
        if not found:
            raise TfkeyError(f"{path}: holds no audio files; give a folder with some, or the files")
        files += found
    from tfkey.estimator import KeyEstimator
    from tfkey.runs import latest_run

    estimator = KeyEstimator.from_run(run if run else latest_run(runs_dir))
    failures = []
    right = 0
    for file in files:
        try:
            estimate = estimator.estimate(file)
        except AudioError as error:
            failures.append((str(file), str(error).removeprefix(f"{file}: ")))
            continue
        line = f"{file}\t{estimate.key.write(notation)}\t{estimate.confidence:.3f}"
        if file.name in known:
            expected = known[file.name]
            line += f"\treference: {expected.write(notation)} ({relation(expected, estimate.key)})"
            right += estimate.key == expected
        click.echo(line)
    if known:
        judged = sum(file.name in known for file in files) - sum(
            Path(name).name in known for name, _ in failures
        )
        click.echo(f"{right} of {judged} as in {reference}", err=True)
    list_failures(failures, "not judged")
    if failures:
        raise click.exceptions.Exit(1)


def _read_reference(path: Path) -> dict[str, Key]:
    """Keys by file name, from a CSV with the columns file and key, or file, tonic and mode."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {
                row["file"]: Key.parse(row["key"] if "key" in row else f"{row['tonic']} {row['mode']}")
                for row in csv.DictReader(stream)
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--reference {path}: cannot be read; give a CSV file") from error
    except KeyError as error:
        raise UsageError(f"--reference {path}: has no column {error}; it needs file and key") from error
    except KeyParseError as error:
        raise UsageError(f"--reference {path}: {error}") from error
