"""Musical key recognition with TensorFlow and Keras."""

from tfkey._version import __version__

__all__ = ["__version__"]
