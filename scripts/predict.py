"""``tfkey predict``."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cluster_options import cluster_options
from scripts.common import Location, ProgressBars, list_failures, print_network
from scripts.predict_files import check_output, named_paths, pictures_of, refuse_elsewhere, split_existing
from scripts.predict_output import FORMATS, Form
from scripts.predict_request import Request, check, form_of, judging_of
from scripts.predict_stream import predict_stream
from scripts.predict_summary import count, default_workers, how_to_go_on, sum_up
from scripts.predict_target import Results, alone_with
from scripts.reference import find_reference, read_reference
from scripts.stopping import if_stopped
from tfkey.keys import Notation
from tfkey.storage import shown

if TYPE_CHECKING:
    from tfkey.inference.many_files import Judging

_NOTATIONS = [notation.value for notation in Notation if notation is not Notation.FOLDER]


@click.command("predict")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option(
    "--run", type=click.Path(path_type=Path), help="Use the network of this run (needs TensorFlow)."
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FOLDER|NAME",
    help="Use the network in this folder, written by tfkey export, or one that comes with tfkey (tfkey "
    "models lists them). A folder of that name takes precedence.",
)
@click.option(
    "--runs-dir",
    type=click.Path(path_type=Path),
    help="Use the newest run in this folder (needs TensorFlow).",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the results (default: from the suffix of --output, otherwise table).",
)
@click.option(
    "--output",
    type=click.Path(),
    help="Write results to this file instead of stdout (-). The file is replaced as a whole, every minute "
    "and at the end; a device or FIFO is written line by line.",
)
@click.option(
    "--notation",
    type=click.Choice(_NOTATIONS),
    help="Notation of the keys (default: long; in tags, short).",
)
@click.option(
    "--top", type=click.IntRange(1, 24), default=1, show_default=True, help="Name the N most probable keys."
)
@click.option(
    "--probabilities", is_flag=True, help="Report the probabilities of all 24 keys, the same as soft labels."
)
@click.option("--over-time", is_flag=True, help="Report the key over time, as segments with start and end.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Report no key if its probability is below this.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Number of processes (default: one per core, at most 4; 1 with --run or --runs-dir).",
)
@click.option("--null", is_flag=True, help="The list on stdin is NUL-separated, as from find -print0.")
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Skip files whose results are already in --output, and keep those results; with --write-tags, skip "
    "files that have a key tag; with --picture, files that have a picture; with several of these, files "
    "that have all of them.",
)
@click.option("--write-tags", is_flag=True, help="Write the key into the files' tags.")
@click.option("--overwrite", is_flag=True, help="Replace existing key tags.")
@click.option("--dry-run", is_flag=True, help="Show what --write-tags would do without writing any tags.")
@click.option(
    "--picture",
    type=click.Path(),
    metavar="FILE|FOLDER",
    help="Draw the song into this file (.png, .svg, .pdf), or each song into a PNG file in this folder: "
    "waveform, spectrogram, key over time, circle of fifths (needs matplotlib).",
)
@click.option(
    "--reference",
    type=Location(),
    help="Print the known key beside each answer, from a CSV file with the columns file and key (or tonic "
    "and mode). Paths in it are relative to its folder or to the current one; a bare file name is enough if "
    "only one file has it.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    metavar="N",
    help="Write parts of N results into the folder --output: part-00000.csv and so on, each as a whole. "
    "Files are then taken as the list is read, however long it is.",
)
@cluster_options
def command(**options: Any) -> None:
    """Name the key of audio files, and of the audio in videos.

    PATHS are files, folders (searched recursively; hidden files are left out), playlists (.m3u, .m3u8,
    .pls), or - for a list on stdin, one path per line. A file that is named twice is analysed once. Without
    --run, --model or --runs-dir, tfkey uses the default one of the networks that come with it.

    PATHS and --output may be URLs of storage elsewhere (s3://bucket/folder, https://host/song.mp3; needs the
    extra remote).

    Results go to stdout, in the order of PATHS; everything else goes to stderr:

    \b
    table  key, confidence, file; for people to read, and may change
    csv    one line per file: file, key, confidence, reason, tuning_cents,
           seconds, warning; with --top N also key_2, confidence_2 ...; with
           --reference also reference, relation; with --write-tags also tag,
           tag_before; with --probabilities also C major ... B minor. With
           --over-time, one line per segment instead: file, start, end, key,
           confidence
    json   one list of objects with the fields of csv; with --top, a list
           "ranked" of key and confidence; with --over-time, a list "segments"
           of start, end, key and confidence; null for unknown values
    jsonl  the same objects, one per line, as soon as each is ready

    A recording may have no key: key and confidence are then empty, and reason says why (silent; no tones;
    below --min-confidence). If a file is cut short or damaged, the readable part is analysed, and warning
    says so; stderr lists these files, too. Times are in seconds; tuning_cents is the deviation from
    A4 = 440 Hz. Results are UTF-8 in every locale. Bytes of a file name that are not UTF-8 are written
    unchanged; in JSON they are lone surrogates, as in Python.

    --write-tags writes TKEY (MP3, WAV, AIFF: ID3v2), INITIALKEY (FLAC, Ogg, Opus), initialkey (M4A, MP4),
    or WM/InitialKey (WMA). An existing key tag is kept unless you give --overwrite. A recording without a
    key gets "o" (off key) in ID3 and no tag in other formats; one below --min-confidence gets no tag. The
    field tag is "written", "kept" or "would write".

    With --cluster, the workers of a Dask cluster do the work; the results are the same. Lists are read as
    they go and results are written as they come, so that there may be any number of files.

    Files that could not be analysed or tagged are listed at the end on stderr. Exit code: 0 if all files
    were done, 1 if some failed, 2 if the arguments are invalid, 130 after Ctrl-C.
    """
    request = Request(**options)
    check(request)
    if request.is_streamed:
        if not predict_stream(request, form_of(request)):
            raise click.exceptions.Exit(1)
        return
    if not _predict(request, form_of(request)):
        raise click.exceptions.Exit(1)


def _predict(request: Request, form: Form) -> bool:
    """Do the work; return whether all of it succeeded."""
    from tfkey.audio.finding import list_files

    reference = None if request.reference is None else read_reference(request.reference)
    listing = list_files(named_paths(request.paths, request.null))
    form = dataclasses.replace(form, known=find_reference(reference, listing.files))
    failures = list(listing.failures)
    warnings: list[tuple[str, str]] = []
    check_output(request.target, listing.files)
    if request.write_tags:
        refuse_elsewhere(listing.files, "--write-tags")
    judging = judging_of(request, pictures_of(request, listing.files))
    counts: Counter[str] = Counter()
    with alone_with(request.target) as holder:
        results = Results(form, request.target, holder)
        with if_stopped(
            lambda: how_to_go_on(results.count - counts["old"], counts["written"], request, form)
        ):
            files = listing.files
            kept: list[str] = []
            if request.target is not None and request.skip_existing:
                files, kept = split_existing(files, request.target, form, judging.is_done)
            counts["skipped"] = len(listing.files) - len(files)
            try:
                with results.taking_over():
                    for text in kept:
                        results.add(text)
                        counts["old"] = results.count
                failed, warnings = _judge_all(files, judging, results, request, form, counts)
                failures += failed
            except BaseException:
                # Also after Ctrl-C: --skip-existing continues from here. Without results, an old file stays.
                if results.count:
                    results.save()
                raise
            results.save()
    sum_up(counts, request, form)
    list_failures(warnings, "analysed with a warning")
    list_failures(failures, "not done" if form.has_tags or request.picture else "not analysed")
    return not failures


def _judge_all(
    files: list[Path],
    judging: Judging,
    results: Results,
    request: Request,
    form: Form,
    counts: Counter[str],
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Analyse the files in order; return the failed files and those with a warning, each with its reason."""
    from tfkey.inference.many_files import judge_files

    failures, warnings = [], []
    is_seen = request.target is None and sys.stdout.isatty()

    def tell(description: str) -> None:
        if judging.model.kind == "pretrained":  # type: ignore[union-attr]
            print_network(judging.model, description)  # type: ignore[arg-type]

    workers = default_workers(request)
    with ProgressBars("analysing", "files") as bars:
        outcomes = judge_files(files, judging, workers, tell) if files else ()
        for done, outcome in enumerate(outcomes, 1):
            count(outcome, form, counts)
            if outcome.error is not None:
                failures.append((shown(outcome.path), outcome.error))
            if outcome.estimate is not None:
                if outcome.estimate.warning is not None:
                    warnings.append((shown(outcome.path), outcome.estimate.warning))
                with bars.aside() if is_seen else contextlib.nullcontext():
                    results.add(form.text(form.record(outcome)))
            bars.work(done, len(files))
    return failures, warnings
