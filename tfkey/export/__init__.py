"""Export of trained runs for use without tfkey, or without TensorFlow.

Every export is a folder with ``tfkey.json``, which describes the network's input and the meaning of its
output.
"""

from __future__ import annotations

FORMATS = ("saved_model", "keras", "litert", "onnx")
"""The formats that :func:`tfkey.export.formats.export_run` writes."""
