"""Where pictures lie, and writing them small."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LARGEST = 150_000
"""The most bytes of a picture: the handbook is read on slow lines, too."""

SCHEMES = {"light": False, "dark": True}
"""Every picture is there for both; whether it is the dark one."""


def save_small(
    picture: Image.Image, path: Path, colours: int = 160, width: int | None = None, *, flat: bool = False
) -> None:
    """Write a picture as PNG in few colours: as many as fit in :data:`LARGEST`, at most ``colours``.

    Args:
        picture: the picture.
        path: the file.
        colours: the most colours.
        width: the width in pixels to which it is made smaller; None to keep it.
        flat: whether it is mostly of a few colours, which then stay as they are. Otherwise rare ones do.

    Raises:
        SystemExit: it is too large even in 32 colours.
    """
    if width is not None:
        height = round(picture.height * width / picture.width)
        picture = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture.convert("RGB")
    method = Image.Quantize.MEDIANCUT if flat else Image.Quantize.MAXCOVERAGE
    while True:
        picture.quantize(colours, method=method, dither=Image.Dither.NONE).save(path, optimize=True)
        size = path.stat().st_size
        if size <= LARGEST:
            break
        if colours <= 32:
            raise SystemExit(f"{path}: {size} bytes in {colours} colours; make it smaller")
        colours = colours * 3 // 4
    print(f"{path.relative_to(ROOT)}: {size // 1000} kB")
