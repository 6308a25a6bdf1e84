"""What the server counts and measures, for Prometheus."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tfkey.serving.workers import WorkerPool

# In seconds: from an answer without work to the longest that anybody waits for.
_LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
# Methods beyond these would let clients make up time series.
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
UNKNOWN = "unknown"


class Metrics:
    """Counters and histograms with a registry of their own.

    Attributes:
        registry: what ``/metrics`` shows.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["path", "method"]
        self._requests = Counter(
            "tfkey_requests", "Requests that were answered.", [*labels, "status"], registry=self.registry
        )
        self._latency = Histogram(
            "tfkey_request_seconds",
            "Time from the first byte of a request to the last byte of its answer.",
            labels,
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "tfkey_requests_in_flight", "Requests that wait for their answer.", registry=self.registry
        )
        self._batches = Histogram(
            "tfkey_batch_requests",
            "Requests of :predict that a process answered together.",
            buckets=_BATCHES,
            registry=self.registry,
        )
        self._audio = Counter(
            "tfkey_audio_seconds", "Length of the recordings that were analysed.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)

    def watch(self, pool: WorkerPool) -> None:
        """Show what becomes of the tasks of a pool."""
        self.registry.register(_PoolCollector(pool))

    def count_batch(self, requests: int) -> None:
        """Count requests that were answered together."""
        self._batches.observe(requests)

    def count_audio(self, seconds: float) -> None:
        """Count a recording that was analysed."""
        self._audio.inc(seconds)

    def begin(self) -> None:
        """Count a request that has begun."""
        self._in_flight.inc()

    def end(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count a request that has ended.

        Args:
            path: the template of its path.
            method: its method.
            status: the status of the answer; 0 if there was none because the client went away.
            seconds: how long it took.
        """
        self._in_flight.dec()
        method = method if method in _METHODS else UNKNOWN
        self._requests.labels(path, method, str(status)).inc()
        self._latency.labels(path, method).observe(seconds)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics in a format that a client accepts, and the type of the format."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind


class _PoolCollector:
    """The counts of a pool, read when they are asked for."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the names of the metrics are fixed."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield what became of tasks, and the state of the processes."""
        tasks = CounterMetricFamily("tfkey_tasks", "Tasks of processes, by outcome.", labels=["outcome"])
        for outcome in ("done", "refused", "failed", "crashed", "timed out", "abandoned"):
            tasks.add_metric([outcome.replace(" ", "_")], self._pool.counts[outcome])
        yield tasks
        yield GaugeMetricFamily("tfkey_workers_ready", "Worker processes that live.", self._pool.ready)
        yield GaugeMetricFamily("tfkey_tasks_queued", "Tasks that wait for a process.", self._pool.queued)


class MetricsMiddleware:
    """Counts every request, including those that other middleware refuses.

    Args:
        app: the application.
        metrics: where to count.
        template: the template of a request's path, from a bounded set of names.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, template: Callable[[Scope], str]) -> None:
        self._app = app
        self._metrics = metrics
        self._template = template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path, began = self._template(scope), time.perf_counter()
        self._metrics.begin()
        try:
            await self._app(scope, receive, note)
        finally:
            self._metrics.end(path, scope["method"], status, time.perf_counter() - began)


def path_template(routes: Iterable[Any]) -> Callable[[Scope], str]:
    """Return a function that gives the path of the route that takes a request, or ``unknown``."""
    from starlette.routing import Match, Route

    known = [route for route in routes if isinstance(route, Route)]

    def template(scope: Scope) -> str:
        for route in known:
            if route.matches(scope)[0] is not Match.NONE:
                # Without the names of Starlette's converters: {model:model}.
                return re.sub(r":\w+}", "}", route.path)
        return UNKNOWN

    return template
