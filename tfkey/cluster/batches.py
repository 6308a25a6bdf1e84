"""Tasks that go to a worker together: how many, and the results that come back."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tfkey.cluster.connection import other_versions
from tfkey.cluster.worker import Answer, Crashed
from tfkey.errors import TfkeyError
from tfkey.processes import Crash

if TYPE_CHECKING:
    from distributed import Future

T = TypeVar("T")

# A batch long enough that its way through the scheduler costs little, and short enough to do again.
_BATCH_SECONDS = 2.0


class Batch(Generic[T]):
    """Tasks that go to a worker together.

    Attributes:
        tasks: the tasks.
        results: what they gave, in the order of the tasks; None until then.
        future: the answer to come; None if the batch is not submitted, or its answer was lost.
        tries: how many times the batch was submitted.
        is_suspect: whether several workers were killed that had this batch, perhaps through the fault of
            another.
    """

    def __init__(self, tasks: list[T]) -> None:
        self.tasks = tasks
        self.results: list[Any] | None = None
        self.future: Future | None = None
        self.tries = 0
        self.is_suspect = False

    def pickled(self) -> tuple[bytes, ...]:
        """The tasks, as they travel."""
        return tuple(pickle.dumps(task) for task in self.tasks)

    def accept(self, answer: Answer) -> None:
        """Take the results from a worker's answer.

        Raises:
            TfkeyError: the function raised it, or the worker has other versions.
            RuntimeError: the function raised anything else.
        """
        if answer.kind == "other":
            raise other_versions(f"worker {answer.worker}", answer.versions)
        if answer.kind == "refused":
            error = TfkeyError(f"worker {answer.worker}: {answer.message}")
            error.exit_code = answer.exit_code
            raise error
        if answer.kind == "error":
            raise RuntimeError(f"in worker {answer.worker}:\n{answer.message}")
        self.results = [
            Crash(task, result.reason) if isinstance(result, Crashed) else pickle.loads(result)
            for task, result in zip(self.tasks, answer.results, strict=True)
        ]


class BatchSize:
    """How many tasks to put in a batch, learned from how long tasks take.

    Args:
        most: the most tasks in a batch.

    Attributes:
        tasks: the number for the next batch; 1 before anything is learned.
    """

    def __init__(self, most: int) -> None:
        self.tasks = 1
        self._most = most
        self._seconds_per_task: float | None = None

    def learn(self, seconds: float) -> None:
        """Take account of a batch whose tasks took this many seconds each."""
        before = self._seconds_per_task
        self._seconds_per_task = seconds if before is None else 0.8 * before + 0.2 * seconds
        size = round(_BATCH_SECONDS / max(self._seconds_per_task, 1e-6))
        self.tasks = max(1, min(size, self._most))
