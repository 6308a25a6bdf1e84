"""TensorFlow loads without its greeting."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

_NAME = "tensorflow"


def silence_tensorflow() -> None:
    """Keep off stderr what TensorFlow's native code writes while it is imported, whenever that is.

    From 2.20 on it announces oneDNN and the lack of a GPU before it reads ``TF_CPP_MIN_LOG_LEVEL``.
    Exceptions pass through.
    """
    sys.meta_path.insert(0, _Once())


class _Once(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(_NAME)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                from tfkey.inference.networks import quiet

                with quiet():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec
