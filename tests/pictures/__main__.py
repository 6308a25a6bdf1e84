"""Make the pictures of the handbook: ``python -m tests.pictures [drawings] [page] [tensorboard]``.

The page and TensorBoard are photographed in headless Chromium (chromium, chromium-driver); everything else is
drawn. All need the extras ``serve``, ``train`` and ``dev``. Every picture is there for light and dark pages.
"""

from __future__ import annotations

import argparse
import importlib

KINDS = ("drawings", "page", "tensorboard")


def main() -> None:
    """Make all pictures, or some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default: all)")
    kinds = parser.parse_args().kinds or KINDS
    for kind in kinds:
        if kind not in KINDS:
            parser.error(f"{kind}: give {', '.join(KINDS)}")
        importlib.import_module(f"tests.pictures.{kind}").main()


if __name__ == "__main__":
    main()
