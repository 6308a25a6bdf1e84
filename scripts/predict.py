"""``tfkey predict``."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.common import ProgressBars, list_failures
from scripts.predict_output import FORMATS, SUFFIXES, Form, Results, existing_records
from scripts.reference import find_reference, read_reference
from tfkey.keys import Notation

if TYPE_CHECKING:
    from tfkey.inference.many_files import Judging, Model, Outcome

# How far apart the intervals are from which key over time is read.
_STEP_SECONDS = 10.0
_NOTATIONS = [notation.value for notation in Notation if notation is not Notation.FOLDER]


@click.command("predict")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), help="A run folder to use, by TensorFlow.")
@click.option("--model", type=click.Path(path_type=Path), help="A folder that tfkey export made.")
@click.option(
    "--runs-dir", type=click.Path(path_type=Path), help="Use the newest run in this folder, by TensorFlow."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="How results are written (default: by the suffix of --output, else table).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write results to this file, not to stdout; it is replaced whole, every minute and at the end.",
)
@click.option(
    "--notation",
    type=click.Choice(_NOTATIONS),
    help="How keys are written (default: long, in tags short).",
)
@click.option(
    "--top", type=click.IntRange(1, 24), default=1, show_default=True, help="Name the N most probable keys."
)
@click.option("--over-time", is_flag=True, help="Tell the key over time: segments with start and end.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="An answer less probable than this is no key.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Processes to work in (default: one per core, at most 4; with --run 1).",
)
@click.option("--null", is_flag=True, help="The list on stdin is NUL-separated, as of find -print0.")
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Skip files that --output has already, and keep them there; with --write-tags, files that have a "
    "key tag (with both, files that have both).",
)
@click.option("--write-tags", is_flag=True, help="Write the key into the files' tags.")
@click.option("--overwrite", is_flag=True, help="Replace key tags that are there.")
@click.option("--dry-run", is_flag=True, help="Show what --write-tags would do, and write no tag.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="A CSV with the columns file and key (or tonic and mode): print the known key beside each answer. "
    "Its paths begin in its folder or in the current one; a name alone will do if it is one file's only.",
)
def command(**options: Any) -> None:
    """Name the key of audio files, and of the sound of videos.

    PATHS are files, folders (searched to the bottom; hidden files are left out), playlists (.m3u, .m3u8),
    and - for a list on stdin, a path a line. A file named twice is judged once. Without --run, --model or
    --runs-dir, the small network that comes with tfkey answers.

    Results stand on stdout, in the order of PATHS, everything else on stderr:

    \b
    table  key, confidence, file; for people, and may change
    csv    a line a file: file, key, confidence, reason, tuning_cents, seconds,
           warning; with --top N: key_2, confidence_2 ...; with --reference:
           reference, relation; with --write-tags: tag, tag_before.
           With --over-time a line a segment: file, start, end, key, confidence
    json   one list of objects with these fields; with --top a list "ranked" of
           key and confidence, with --over-time a list "segments" of start, end,
           key and confidence; null for what is not known
    jsonl  the same objects, one a line, as they come

    No key is an answer, too: key and confidence are empty then, and reason says why (silent; no tones;
    below --min-confidence). A file that is cut or damaged is judged by what is there, and warning says so;
    stderr lists these files, too. Times are in seconds, tuning_cents is the deviation from A4 = 440 Hz. In
    JSON, bytes of a file's name that are no text are lone surrogates, as Python has them.

    --write-tags writes TKEY (MP3, WAV, AIFF: ID3v2), INITIALKEY (FLAC, Ogg, Opus), initialkey (M4A, MP4),
    and WM/InitialKey (WMA). A key that is there is kept unless --overwrite. A recording without a key gets
    "o" (off key) in ID3, in others nothing; one below --min-confidence nothing. tag is "written", "kept" or
    "would write".

    Files that cannot be judged or tagged are listed at the end on stderr. Exit code: 0 all are done, 1 some
    are not, 2 the command cannot be meant.
    """
    _check(options)
    form = _form(options)
    try:
        is_whole = _predict(options, form)
    except BrokenPipeError:
        # Whoever read has enough. Python would complain at exit of what it cannot flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        is_whole = False
    if not is_whole:
        raise click.exceptions.Exit(1)


def _check(options: dict[str, Any]) -> None:
    """Refuse combinations that cannot be meant."""
    if sum(options[name] is not None for name in ("run", "model", "runs_dir")) > 1:
        raise click.UsageError("--run, --model and --runs-dir: give one of them")
    for name in ("overwrite", "dry_run"):
        if options[name] and not options["write_tags"]:
            raise click.UsageError(f"--{name.replace('_', '-')}: is about tags; give --write-tags, too")
    if options["null"] and Path("-") not in options["paths"]:
        raise click.UsageError("--null: is about a list on stdin; give - as a path")
    if options["skip_existing"] and not options["write_tags"] and options["output"] is None:
        raise click.UsageError("--skip-existing: give --output or --write-tags")


def _form(options: dict[str, Any]) -> Form:
    output = options["output"]
    guessed = SUFFIXES.get(output.suffix.lower(), "table") if output is not None else "table"
    form = Form(
        format=options["format_"] or guessed,
        notation=options["notation"] or Notation.LONG.value,
        top=options["top"],
        over_time=options["over_time"],
        has_tags=options["write_tags"],
    )
    if options["skip_existing"] and output is not None and form.format == "table":
        raise click.UsageError("--skip-existing: a table is not read back; give --format csv, json or jsonl")
    return form


def _predict(options: dict[str, Any], form: Form) -> bool:
    """Do the work; whether all of it could be done."""
    from tfkey.audio.finding import list_files
    from tfkey.inference.many_files import judge_files

    reference = read_reference(options["reference"])
    listing = list_files(_named(options["paths"], options["null"]))
    form = dataclasses.replace(form, known=find_reference(reference, listing.files))
    failures = list(listing.failures)
    warnings: list[tuple[str, str]] = []
    files, kept = _split_existing(listing.files, options, form)
    judging = _judging(options)
    results = Results(form, options["output"])
    counts = Counter(skipped=len(listing.files) - len(files))
    is_seen = options["output"] is None and sys.stdout.isatty()

    def tell(description: str) -> None:
        if judging.model.kind == "pretrained":  # type: ignore[union-attr]
            click.echo(description, err=True)

    try:
        for text in kept:
            results.add(text)
        workers = options["workers"] or (1 if options["run"] or options["runs_dir"] else min(4, _cores()))
        with ProgressBars("judging", "files") as bars:
            outcomes = judge_files(files, judging, workers, tell) if files else ()
            for done, outcome in enumerate(outcomes, 1):
                if outcome.error is not None:
                    failures.append((str(outcome.path), outcome.error))
                if outcome.estimate is not None:
                    if outcome.estimate.warning is not None:
                        warnings.append((str(outcome.path), outcome.estimate.warning))
                    with bars.aside() if is_seen else contextlib.nullcontext():
                        results.add(form.text(form.record(outcome)))
                _count(outcome, form, counts)
                bars.work(done, len(files))
    except BaseException:
        # Also after Ctrl-C: --skip-existing goes on from here. But nothing is no reason to replace a file.
        if results.has_any:
            results.save()
        raise
    results.save()
    _sum_up(counts, options, form)
    list_failures(warnings, "judged with a warning")
    list_failures(failures, "not done" if form.has_tags else "not judged")
    return not failures


def _named(paths: Sequence[Path], null: bool) -> list[Path]:
    """The paths, in the place of - those on stdin."""
    named = []
    for path in paths:
        if path != Path("-"):
            named.append(path)
            continue
        # As bytes, which file names are.
        content = sys.stdin.buffer.read()
        lines = content.split(b"\0") if null else [line.removesuffix(b"\r") for line in content.split(b"\n")]
        named += [Path(os.fsdecode(line)) for line in lines if line]
    return named


def _split_existing(files: list[Path], options: dict[str, Any], form: Form) -> tuple[list[Path], list[str]]:
    """The files that are to be judged, and the records of an earlier output that stay."""
    from tfkey.audio.finding import identity
    from tfkey.inference.many_files import has_key_tag

    output = options["output"]
    if output is None or not options["skip_existing"]:
        return files, []
    existing = {identity(Path(name)) for name, _ in existing_records(output, form)}
    wanted = [
        path
        for path in files
        if identity(path) not in existing or (options["write_tags"] and not has_key_tag(path))
    ]
    again = {identity(path) for path in wanted}
    return wanted, [
        text for name, text in existing_records(output, form) if identity(Path(name)) not in again
    ]


def _judging(options: dict[str, Any]) -> Judging:
    from tfkey.inference.many_files import Judging, Tagging

    tagging = None
    if options["write_tags"]:
        notation = Notation(options["notation"] or Notation.SHORT)
        tagging = Tagging(notation, options["overwrite"], options["dry_run"])
    return Judging(
        _model(options),
        step_seconds=_STEP_SECONDS if options["over_time"] else None,
        min_confidence=options["min_confidence"],
        tagging=tagging,
        skip_tagged=options["skip_existing"] and options["output"] is None,
    )


def _model(options: dict[str, Any]) -> Model:
    from tfkey.inference.many_files import Model

    if options["model"] is not None:
        return Model("export", options["model"])
    if options["runs_dir"] is not None:
        from tfkey.runs import latest_run

        return Model("run", latest_run(options["runs_dir"]).path)
    return Model("run", options["run"]) if options["run"] is not None else Model()


def _cores() -> int:
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _count(outcome: Outcome, form: Form, counts: Counter[str]) -> None:
    counts["skipped"] += outcome.is_skipped
    if outcome.estimate is not None:
        counts["judged"] += 1
        counts["without a key"] += outcome.estimate.key is None
        if form.known is not None and outcome.path in form.known:
            counts["known"] += 1
            counts["right"] += outcome.estimate.key == form.known[outcome.path]
    if outcome.change is not None:
        counts[outcome.change.state] += 1


def _sum_up(counts: Counter[str], options: dict[str, Any], form: Form) -> None:
    if counts["known"]:
        click.echo(f"{counts['right']} of {counts['known']} as in {options['reference']}", err=True)
    elif form.known:
        click.echo(f"no file was judged of the {len(form.known)} in {options['reference']}", err=True)
    if form.has_tags or options["skip_existing"]:
        states = ("judged", "without a key", "skipped", "written", "kept", "would write")
        told = ", ".join(f"{counts[state]} {state}" for state in states if counts[state] or state == "judged")
        click.echo(told, err=True)
