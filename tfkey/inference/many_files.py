"""Naming the keys of many files, and writing them into their tags, file by file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfkey.errors import TagError, TfkeyError
from tfkey.keys import Notation

if TYPE_CHECKING:
    from tfkey.inference.estimator import Estimate, KeyEstimator
    from tfkey.tags.key_tags import TagChange


@dataclass(frozen=True)
class Model:
    """Where an estimator comes from.

    Attributes:
        kind: as the constructors of :class:`tfkey.KeyEstimator` are called.
        path: of the run or the export.
        name: of the pretrained weights.
    """

    kind: Literal["pretrained", "run", "export"] = "pretrained"
    path: Path = Path()
    name: str = "demo"

    def open(self) -> KeyEstimator:
        """Load it."""
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
class Outcome:
    """What became of a file.

    Attributes:
        path: the file.
        estimate: its key; None if it could not be judged, or was skipped.
        error: what went wrong, without the file's name; None if nothing did.
        change: what became of its tags; None if they were left alone.
        is_skipped: it has a key tag already.
    """

    path: Path
    estimate: Estimate | None = None
    error: str | None = None
    change: TagChange | None = None
    is_skipped: bool = False


@dataclass(frozen=True)
class Judging:
    """What is done with each file; :func:`make_judge` gives the function that does it.

    Attributes:
        model: the network.
        step_seconds: see :meth:`tfkey.KeyEstimator.estimate`.
        min_confidence: an estimate of less is no key.
        tagging: how tags are written; None for not at all.
        skip_tagged: leave out files that have a key tag.
    """

    model: Model | Callable[[], KeyEstimator] = Model()
    step_seconds: float | None = None
    min_confidence: float = 0.0
    tagging: Tagging | None = None
    skip_tagged: bool = False


def make_judge(judging: Judging) -> Judge:
    """Load the network, and give what judges file after file by it."""
    model = judging.model
    return Judge(judging, model.open() if isinstance(model, Model) else model())


class Judge:
    """Judges file after file; what is wrong with one is told in its outcome.

    Args:
        judging: what is to be done.
        estimator: the network.
    """

    def __init__(self, judging: Judging, estimator: KeyEstimator) -> None:
        self.judging = judging
        self.description = estimator.description
        self._estimator = estimator

    def __call__(self, path: Path) -> Outcome:
        """Judge a file; no exception leaves it but of a kind that ends processes."""
        estimate = None
        try:
            if self.judging.skip_tagged and has_key_tag(path):
                return Outcome(path, is_skipped=True)
            found = self._estimator.estimate(path, step_seconds=self.judging.step_seconds)
            estimate = confident(found, self.judging.min_confidence)
            # Where the doubt is ours, nothing is said of the recording.
            doubtful = found.key is not None and estimate.key is None
            change = None
            if self.judging.tagging is not None and not doubtful:
                change = _tag(path, estimate, self.judging.tagging)
            return Outcome(path, estimate, change=change)
        except TfkeyError as error:
            return Outcome(path, estimate, str(error).removeprefix(f"{path}: "))
        except MemoryError:
            return Outcome(path, estimate, "needs more memory than there is; ask for fewer workers")
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return Outcome(path, estimate, f"cannot be judged ({reason}); please report it with the file")


def confident(estimate: Estimate, least: float) -> Estimate:
    """An estimate without the keys whose confidence is below ``least``."""
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
    """Judge files in processes of their own, in bounded memory; outcomes come in the order of ``paths``.

    A file on which a decoder breaks down, process and all, is an outcome with an error like any other. A
    single file is judged in this process.

    Args:
        paths: the files.
        judging: what is to be done.
        workers: how many processes; more than cores are of no use.
        on_ready: is told what the weights are, before the first outcome.

    Raises:
        TfkeyError: the network cannot be loaded.
    """
    from tfkey.processes import Crash, in_processes

    if len(paths) == 1:
        judge = make_judge(judging)
        if on_ready is not None:
            on_ready(judge.description)
        yield judge(paths[0])
        return
    for result in in_processes(
        partial(make_judge, judging), paths, max(1, min(workers, len(paths))), on_ready
    ):
        if isinstance(result, Crash):
            reason = f"the program that decodes it broke down ({result.reason}); encode it again"
            yield Outcome(result.task, error=reason)
        else:
            yield result


def has_key_tag(path: Path) -> bool:
    """Whether the tags of a file state a key."""
    from tfkey.tags.key_tags import key_texts

    try:
        return bool(key_texts(path))
    except TagError:
        return False


def _tag(path: Path, estimate: Estimate, tagging: Tagging) -> TagChange:
    from tfkey.tags.key_tags import write_key

    text = None if estimate.key is None else estimate.key.write(tagging.notation)
    return write_key(path, text, overwrite=tagging.overwrite, dry_run=tagging.dry_run)
