"""The size of a base install: MiB on the disk of every package that ``pip install .`` brings.

``python -m tests.benchmarks.install`` installs this checkout into a fresh environment, as a newcomer would,
and lists the packages by size, with the share of the bytecode that pip compiles (uv does not, unless asked).
Sizes are those of the blocks on the disk, as ``du`` counts them. It needs a package index and takes about a
minute.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.results import add_option, figure, table, write_results

ROOT = Path(__file__).parents[2]
# What a wheel is built from. setuptools would leave its work in the checkout, so a copy is installed.
SOURCES = ("tfkey", "pipelines", "scripts", "configs", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
# Present in a fresh environment of Python before 3.12, or of any Python.
BEFORE = ("pip", "setuptools")

# Runs in the environment: [name, version, bytes, bytes of bytecode] of every package.
LIST = """
import json, os
from importlib.metadata import distributions
rows = []
for package in distributions():
    sizes = [0, 0]
    for file in package.files or ():
        path = package.locate_file(file)
        if os.path.isfile(path):
            # Windows has no st_blocks.
            status = os.stat(path)
            size = getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
            sizes[0] += size
            sizes[1] += size * str(path).endswith(".pyc")
    rows.append([package.metadata["Name"], package.version, *sizes])
print(json.dumps(rows))
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy, place = Path(folder) / "source", Path(folder) / "environment"
        copy.mkdir()
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, symlinks=True)
            else:
                shutil.copy(ROOT / name, copy)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(copy)], check=True)
        # In another folder, since Python would find the metadata of a checkout, too.
        listed = subprocess.run(
            [str(python), "-c", LIST], cwd=place, check=True, capture_output=True, text=True
        )
    rows = sorted(json.loads(listed.stdout), key=lambda row: -row[2])
    print(f"{'':24}{'version':>12}{'MiB':>8}{'bytecode':>10}")
    for name, version, size, compiled in rows:
        print(f"{name:24}{version:>12}{size / 2**20:8.1f}{compiled / 2**20:10.1f}")
    figures = {}
    for title, chosen in (
        ("all", rows),
        ("without pip, setuptools", [row for row in rows if row[0] not in BEFORE]),
    ):
        size, compiled = (sum(row[column] for row in chosen) / 2**20 for column in (2, 3))
        print(f"{title:36}{size:8.1f}{compiled:10.1f}")
        figures[title.partition(" ")[0]] = figure(f"MiB, {title}", size, form=".0f")
        figures[f"{title.partition(' ')[0]}-bytecode"] = figure(
            f"MiB of bytecode, {title}", compiled, form=".0f"
        )
    sizes = [
        [f"{name} {version}", f"{size / 2**20:.1f}", f"{code / 2**20:.1f}"]
        for name, version, size, code in rows
    ]
    packages = {"packages": table("MiB on the disk", ["package", "MiB", "of it bytecode"], sizes)}
    write_results(options.results, "The size of a base install", figures=figures, tables=packages)


if __name__ == "__main__":
    main()
