from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tfkey.config import Config, load_config
from tfkey.models import build_model

# What needs no TensorFlow is tested on a base install, too.
if TYPE_CHECKING:
    import keras

    from tests.tfkey.serving.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose estimator crashes on recordings of some lengths."""
    from tests.tfkey.serving.running import open_moody, running

    with running(tmp_path_factory.mktemp("uploads"), open_moody, max_upload_mb=4, max_seconds=100) as found:
        yield found


@pytest.fixture(scope="package")
def small_config() -> Callable[..., Config]:
    """Make a configuration of 15 600 samples an interval: 16 frames of 24 bins; the network needs 8."""

    def make(*overrides: str) -> Config:
        return load_config(
            None,
            [
                "features={sample_rate: 8000, hop_length: 1024, fmin: 200, n_bins: 24, bins_per_octave: 12}",
                "intervals.seconds=1.95",
                "model={maps: 2, dropout: 0.5}",
                *overrides,
            ],
        )

    return make


@pytest.fixture(scope="package")
def decided_network() -> Callable[[Config, int], keras.Model]:
    """Make an untrained network that all the same tells sounds apart."""

    def make(config: Config, seed: int) -> keras.Model:
        shape = (None, config.features.n_bins, 1)
        network = build_model(config.model.name, shape, **config.model.settings)
        rng = np.random.default_rng(seed)
        for weight in network.weights:
            spread = rng.standard_normal(weight.shape) / np.sqrt(np.prod(weight.shape[:-1]))
            # Variances and scales have to be above 0.
            weight.assign(2 * spread if len(weight.shape) > 1 else rng.uniform(0.5, 1.5, weight.shape))
        head = network.get_layer("class_maps").kernel
        head.assign(head * 3)
        return network

    return make


@pytest.fixture(scope="package")
def music() -> Callable[[int, int], np.ndarray]:
    """Make noise whose loudness and colour wander, float32 ``[samples]``, so that no two parts look alike."""

    def make(samples: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        time = np.arange(samples) / 8000
        sweep = np.sin(2 * np.pi * (250 + 40 * seed + 60 * time) * time) * (0.2 + 0.2 * np.sin(3 * time))
        return (sweep + 0.02 * rng.standard_normal(samples)).astype(np.float32)

    return make
