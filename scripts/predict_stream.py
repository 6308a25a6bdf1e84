"""``tfkey predict`` for any number of files: taken as the list is read, results written as they come."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.cluster_options import silence_dask
from scripts.common import ProgressBars, list_failures, print_network
from scripts.predict_files import earlier_output
from scripts.predict_output import Form, existing_records
from scripts.predict_request import Request, judging_of
from scripts.predict_shards import FAILURES, Shards, alone_in_shards, write_failures
from scripts.predict_summary import count, default_workers, how_to_go_on, sum_up
from scripts.predict_target import Results, alone_with
from scripts.stopping import if_stopped
from scripts.streams import read_stdin_part
from tfkey.errors import DataError, UsageError
from tfkey.storage import Holder, is_remote, located, shown

if TYPE_CHECKING:
    from tfkey.audio.streaming import Seen
    from tfkey.inference.many_files import Judging, Outcome

_IN_MEMORY = 1 << 20


def predict_stream(request: Request, form: Form) -> bool:
    """Do the work; return whether all of it succeeded."""
    silence_dask()
    run = _Run(request, form)
    in_parts = request.target if request.shard_size is not None else None
    written_to = None if in_parts is None else in_parts / FAILURES
    with alone_with(request.target) if in_parts is None else alone_in_shards(in_parts) as run.holder:
        run.do()
        if in_parts is not None:
            write_failures(in_parts, run.failures)
    sum_up(run.counts, request, form)
    list_failures(run.warnings, "analysed with a warning")
    list_failures(run.failures, "not done" if form.has_tags else "not analysed", written_to=written_to)
    return not run.failures


class Reasons(Collection[tuple[str, str]]):
    """Names and what is to be said of each, in the order in which they were added; beyond 1 MiB in a file."""

    def __init__(self) -> None:
        self._count = 0
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115

    def add(self, name: str, reason: str) -> None:
        """Add one."""
        self._spool.seek(0, 2)
        self._spool.write(json.dumps([name, reason]).encode() + b"\n")
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        self._spool.seek(0)
        while line := self._spool.readline():
            # Others may be read meanwhile.
            place = self._spool.tell()
            name, reason = json.loads(line)
            yield name, reason
            self._spool.seek(place)

    def __contains__(self, item: object) -> bool:
        return item in list(self)


class _Run:
    """One call of :func:`predict_stream`."""

    def __init__(self, request: Request, form: Form) -> None:
        self.request = request
        self.form = form
        self.holder: Holder | None = None
        self.counts: Counter[str] = Counter()
        self.failures = Reasons()
        self.warnings = Reasons()

    def do(self) -> None:
        """Analyse what is not done yet, and write the results."""
        from tfkey.audio.streaming import Seen

        request, counts = self.request, self.counts
        # Before the network is loaded, or a cluster asked.
        judging = judging_of(request, {})
        results = self._results()
        done = Seen()
        go_on = lambda: how_to_go_on(results.count - counts["old"], counts["written"], request, self.form)  # noqa: E731
        with if_stopped(go_on):
            try:
                self._keep(results, done)
                self._judge(results, done, judging)
            except BaseException:
                # Also after Ctrl-C: --skip-existing continues from here.
                if results.count:
                    results.save()
                raise
            results.save()

    def _results(self) -> Results | Shards:
        request = self.request
        if request.shard_size is None or request.target is None:
            return Results(self.form, request.target, self.holder)
        return Shards(
            self.form, request.target, request.shard_size, self.holder, is_continued=request.skip_existing
        )

    def _keep(self, results: Results | Shards, done: Seen) -> None:
        """Keep the results of an earlier call, and note their files in ``done``."""
        from tfkey.audio.finding import identity

        if self.request.target is None or not self.request.skip_existing:
            return
        if isinstance(results, Shards):
            for file in results.existing():
                done.add(identity(file))
                self.counts["old"] = results.count
            return
        with earlier_output(self.request.target) as copy, results.taking_over():
            for path, text in existing_records(copy, self.form, self.request.target):
                done.add(identity(path))
                results.add(text)
                self.counts["old"] = results.count

    def _judge(self, results: Results | Shards, done: Seen, judging: Judging) -> None:
        is_seen = self.request.target is None and sys.stdout.isatty()
        with ProgressBars("analysing", "files") as bars:
            for number, outcome in enumerate(self._outcomes(done, judging), 1):
                count(outcome, self.form, self.counts)
                if outcome.error is not None:
                    self.failures.add(shown(outcome.path), outcome.error)
                if outcome.estimate is not None:
                    if outcome.estimate.warning is not None:
                        self.warnings.add(shown(outcome.path), outcome.estimate.warning)
                    with bars.aside() if is_seen else contextlib.nullcontext():
                        results.add(self.form.text(self.form.record(outcome)))
                bars.work(number, None)

    def _outcomes(self, done: Seen, judging: Judging) -> Iterator[Outcome]:
        from tfkey.inference.many_files import judge_stream
        from tfkey.inference.on_cluster import judge_on_cluster

        def tell(description: str) -> None:
            if judging.model.kind == "pretrained":  # type: ignore[union-attr]
                print_network(judging.model, description)  # type: ignore[arg-type]

        files = self._files(done)
        cluster = self.request.cluster
        if cluster is None:
            return judge_stream(files, judging, default_workers(self.request), tell)
        return judge_on_cluster(files, judging, cluster, tell)

    def _files(self, done: Seen) -> Iterator[Path]:
        """The files to analyse, as they are found."""
        from tfkey.audio.finding import identity
        from tfkey.audio.streaming import Seen, iter_files

        target = self.request.target
        is_there = target is not None and (is_remote(target) or target.is_file())
        output = identity(target) if target is not None and is_there else None
        met = Seen()
        try:
            for file in iter_files(self._named(), met, self.failures.add):
                name = identity(file)
                if name == output:
                    raise UsageError(
                        f"--output {shown(target or file)}: is one of the files to analyse; name another file"
                    )
                if name in done:
                    self.counts["skipped"] += 1
                else:
                    yield file
        finally:
            met.close()

    def _named(self) -> Iterator[Path | str]:
        from tfkey.audio.streaming import iter_list

        for path in self.request.paths:
            if path != "-":
                yield located(path)
                continue
            try:
                yield from iter_list(read_stdin_part, null=self.request.null)
            except DataError as error:
                reason = str(error).partition(";")[0]
                raise UsageError(
                    f"-: stdin {reason}; give one path per line, or --null if NUL separates them "
                    "(find -print0)"
                ) from error
