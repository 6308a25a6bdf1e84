"""Musical key recognition with TensorFlow and Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfkey._version import __version__

if TYPE_CHECKING:
    from tfkey.inference.estimator import Estimate, KeyEstimator

__all__ = ["Estimate", "KeyEstimator", "__version__"]


def __getattr__(name: str) -> Any:
    # A caller that only asks for the version should not wait for NumPy and the decoders.
    if name in ("Estimate", "KeyEstimator"):
        from tfkey.inference import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
