"""What a worker does with the bodies of ``:predict``: read them, compute them together, write answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfkey.inference.saved_model import SavedModelNetwork
from tfkey.serving.errors import RequestError
from tfkey.serving.protocol import Limits, Prediction, answer, read_request
from tfkey.serving.signatures import Served, apply_signature

if TYPE_CHECKING:
    from tfkey.inference.estimator import KeyEstimator


@dataclass(frozen=True)
class DescribeTask:
    """Asks a worker what it serves."""

    def do(self, estimator: KeyEstimator) -> Served:
        """Return what clients need to know about the network."""
        network = estimator.network
        version = network.version if isinstance(network, SavedModelNetwork) else 1
        return Served(estimator.metadata, version)


@dataclass(frozen=True)
class PredictTask:
    """The bodies of requests that are answered together.

    Attributes:
        bodies: the JSON of each request, or the file that holds it.
        served: the network, as clients know it.
        limits: what each request may ask for.
        at_once: the most rows or intervals that go through the network together.
    """

    bodies: tuple[bytes | Path, ...]
    served: Served
    limits: Limits
    at_once: int

    def do(self, estimator: KeyEstimator) -> list[bytes | RequestError]:
        """Return the JSON that answers each request, or what is wrong with the request."""
        answers: dict[int, bytes | RequestError] = {}
        requests: dict[int, Prediction] = {}
        for number, body in enumerate(self.bodies):
            try:
                text = body if isinstance(body, bytes) else body.read_bytes()
                requests[number] = read_request(text, self.served, self.limits)
            except RequestError as error:
                answers[number] = error
        for name in {request.input for request in requests.values()}:
            group = {number: request for number, request in requests.items() if request.input == name}
            rows = [row for request in group.values() for row in request.rows]
            found = apply_signature(estimator.metadata, estimator.network, name, rows, self.at_once)
            ends = np.cumsum([len(request.rows) for request in group.values()])[:-1]
            for (number, request), part in zip(group.items(), np.split(found, ends), strict=True):
                if np.isfinite(part).all():
                    answers[number] = answer(part, request.is_column)
                else:
                    answers[number] = RequestError("the network has no answer to such numbers", 422)
        return [answers[number] for number in range(len(self.bodies))]
