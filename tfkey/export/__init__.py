"""Export of trained runs for use without tfkey, or without TensorFlow.

Every export is a folder with ``tfkey.json`` in it, which says what the network sees and what its answers
mean.
"""

from __future__ import annotations

FORMATS = ("saved_model", "keras", "litert", "onnx")
"""What :func:`tfkey.export.formats.export_run` writes."""
