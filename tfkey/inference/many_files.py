"""Naming the keys of many files, and writing them into their tags."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfkey.errors import TagError, TfkeyError
from tfkey.keys import Notation
from tfkey.storage import fetched, is_remote, name_of, redacted, shown

if TYPE_CHECKING:
    from tfkey.audio.recordings import Recording
    from tfkey.inference.estimate import Estimate
    from tfkey.inference.estimator import KeyEstimator
    from tfkey.processes import Crash
    from tfkey.tags.key_tags import TagChange


@dataclass(frozen=True)
class Model:
    """The source of an estimator.

    Attributes:
        kind: the constructor of :class:`tfkey.KeyEstimator`: ``from_<kind>``.
        path: the folder of the run or the export.
        name: the name of a network that comes with tfkey; None for the default one.
    """

    kind: Literal["pretrained", "run", "export"] = "pretrained"
    path: Path = Path()
    name: str | None = None

    def open(self) -> KeyEstimator:
        """Load the estimator."""
        from tfkey.inference.estimator import KeyEstimator

        if self.kind == "run":
            return KeyEstimator.from_run(self.path)
        if self.kind == "export":
            return KeyEstimator.from_export(self.path)
        return KeyEstimator.from_pretrained(self.name)


@dataclass(frozen=True)
class Tagging:
    """How keys are written into tags (see :func:`tfkey.tags.key_tags.write_key`)."""

    notation: Notation = Notation.SHORT
    overwrite: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Drawing:
    """Which pictures of songs are drawn (see :func:`tfkey.inference.picture.write_picture`).

    Attributes:
        pictures: the picture of each file that gets one.
        notation: how keys are written in them.
    """

    pictures: Mapping[Path, Path]
    notation: Notation = Notation.LONG


@dataclass(frozen=True)
class Outcome:
    """The outcome for a file.

    Attributes:
        path: the file.
        estimate: its key; None if it could not be analysed, or was skipped.
        error: what went wrong, without the file's name; None if nothing did.
        change: what happened to its tags; None if they were left alone.
        is_skipped: whether it was skipped because it already has a key tag and a picture, if they are wanted.
    """

    path: Path
    estimate: Estimate | None = None
    error: str | None = None
    change: TagChange | None = None
    is_skipped: bool = False


@dataclass(frozen=True)
class Judging:
    """What is done with each file; :func:`make_judge` returns the function that does it.

    Attributes:
        model: the network.
        step_seconds: see :meth:`tfkey.KeyEstimator.estimate`.
        min_confidence: an estimate with a lower confidence counts as no key.
        tagging: how tags are written; None to leave tags alone.
        drawing: which pictures are drawn; None to draw none.
        skip_done: whether to skip files that already have what would be made of them: a key tag, a picture.
        scratch: where files from elsewhere are kept while they are analysed; None for the system's temporary
            folder.
    """

    model: Model | Callable[[], KeyEstimator] = Model()
    step_seconds: float | None = None
    min_confidence: float = 0.0
    tagging: Tagging | None = None
    drawing: Drawing | None = None
    skip_done: bool = False
    scratch: Path | None = None

    def is_done(self, path: Path) -> bool:
        """Whether a file already has its key tag and its picture, if they are wanted."""
        picture = None if self.drawing is None else self.drawing.pictures.get(path)
        return (picture is None or picture.is_file()) and (self.tagging is None or has_key_tag(path))


def make_judge(judging: Judging) -> Judge:
    """Load the network, and return the function that analyses files with it."""
    model = judging.model
    return Judge(judging, model.open() if isinstance(model, Model) else model())


class Judge:
    """Analyses one file after another; an error is reported in the outcome of its file.

    Args:
        judging: what to do with each file.
        estimator: the network.
    """

    def __init__(self, judging: Judging, estimator: KeyEstimator) -> None:
        self.judging = judging
        self.description = estimator.description
        self._estimator = estimator

    def __call__(self, path: Path) -> Outcome:
        """Analyse a file; the only exceptions raised are those that end a process."""
        estimate = None
        try:
            if self.judging.skip_done and self.judging.is_done(path):
                return Outcome(path, is_skipped=True)
            if self.judging.tagging is not None and is_remote(path):
                raise TagError("tags are written into local files only; copy the file first")
            with fetched(path, self.judging.scratch) as local:
                found, recording = self._estimate(path, local)
                estimate = confident(found, self.judging.min_confidence)
                if recording is not None:
                    self._draw(path, recording, estimate)
            # A low confidence says nothing about the recording; the tag must not say "no key".
            doubtful = found.key is not None and estimate.key is None
            change = None
            if self.judging.tagging is not None and not doubtful:
                change = _tag(path, estimate, self.judging.tagging)
            return Outcome(path, estimate, change=change)
        except TfkeyError as error:
            return Outcome(path, estimate, str(error).removeprefix(f"{shown(path)}: "))
        except MemoryError:
            return Outcome(path, estimate, "needs more memory than is available; use fewer workers")
        except Exception as error:
            reason = redacted(" ".join(f"{type(error).__name__}: {error}".split()))
            return Outcome(path, estimate, f"cannot be analysed ({reason}); please report this with the file")

    def _estimate(self, path: Path, local: Path) -> tuple[Estimate, Recording | None]:
        """The key of a file, and its recording if a picture is drawn: then it is decoded once for both."""
        from tfkey.audio.recordings import open_recording

        drawing, step = self.judging.drawing, self.judging.step_seconds
        if drawing is None or path not in drawing.pictures:
            return self._estimator.estimate(local, step_seconds=step), None
        recording = open_recording(local, self._estimator.metadata.features.sample_rate)
        return self._estimator.estimate(recording, step_seconds=step), recording

    def _draw(self, path: Path, recording: Recording, estimate: Estimate) -> None:
        from tfkey.inference.picture import write_picture
        from tfkey.inference.portrait import portrait

        drawing = self.judging.drawing
        assert drawing is not None
        drawn = portrait(recording, self._estimator.metadata.features)
        write_picture(drawing.pictures[path], estimate, drawn, name_of(path), drawing.notation)


def confident(estimate: Estimate, least: float) -> Estimate:
    """Return an estimate without the keys whose confidence is below ``least``."""
    segments = tuple(
        part if part.confidence >= least else dataclasses.replace(part, key=None)
        for part in estimate.segments
    )
    if estimate.key is None or estimate.confidence >= least:
        return dataclasses.replace(estimate, segments=segments)
    reason = f"confidence {estimate.confidence:.2f} is below {least:g}"
    return dataclasses.replace(estimate, key=None, reason=reason, segments=segments)


def judge_files(
    paths: Sequence[Path],
    judging: Judging,
    workers: int = 1,
    on_ready: Callable[[str], None] | None = None,
) -> Iterator[Outcome]:
    """Analyse files in separate processes and bounded memory; outcomes come in the order of ``paths``.

    If a decoder crashes its process, the outcome of that file is an error like any other. A single file is
    analysed in this process.

    Args:
        paths: the files; one elsewhere is fetched into a temporary file while it is analysed.
        judging: what to do with each file.
        workers: the number of processes; more than the number of cores does not help.
        on_ready: called with the description of the weights, before the first outcome.

    Raises:
        TfkeyError: the network cannot be loaded.
    """
    if judging.scratch is None and any(map(is_remote, paths)):
        with _scratch(judging) as there:
            yield from judge_files(paths, there, workers, on_ready)
        return
    from tfkey.processes import in_processes

    if len(paths) == 1:
        judge = make_judge(judging)
        if on_ready is not None:
            on_ready(judge.description)
        yield judge(paths[0])
        return
    yield from _outcomes(
        in_processes(partial(make_judge, judging), paths, max(1, min(workers, len(paths))), on_ready)
    )


def judge_stream(
    paths: Iterable[Path],
    judging: Judging,
    workers: int = 1,
    on_ready: Callable[[str], None] | None = None,
) -> Iterator[Outcome]:
    """Analyse any number of files as :func:`judge_files` does; they are taken as they are needed."""
    from tfkey.processes import in_processes

    with _scratch(judging) as there:
        yield from _outcomes(in_processes(partial(make_judge, there), paths, workers, on_ready))


@contextlib.contextmanager
def _scratch(judging: Judging) -> Iterator[Judging]:
    """Yield the same with a temporary folder, which processes that are stopped need not clean up."""
    with tempfile.TemporaryDirectory(prefix="tfkey-", ignore_cleanup_errors=True) as folder:
        yield dataclasses.replace(judging, scratch=Path(folder))


def crash_reason(reason: str) -> str:
    """Return the error of a file whose process ended, given how it ended."""
    return f"the decoder crashed ({reason}); encode the file again"


def _outcomes(results: Iterable[Outcome | Crash[Path]]) -> Iterator[Outcome]:
    from tfkey.processes import Crash

    for result in results:
        if isinstance(result, Crash):
            yield Outcome(result.task, error=crash_reason(result.reason))
        else:
            yield result


def has_key_tag(path: Path) -> bool:
    """Whether a file has a key tag."""
    from tfkey.tags.key_tags import key_texts

    try:
        return bool(key_texts(path))
    except TagError:
        return False


def _tag(path: Path, estimate: Estimate, tagging: Tagging) -> TagChange:
    from tfkey.tags.key_tags import write_key

    text = None if estimate.key is None else estimate.key.write(tagging.notation)
    return write_key(path, text, overwrite=tagging.overwrite, dry_run=tagging.dry_run)
