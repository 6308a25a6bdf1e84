"""Lists of votes, packages and repositories, made on the spot."""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines.catalogue.specs import DatasetSpec, load_spec

HEADER = (
    "source", "origin", "version", "path", "md5", "licence", "copyright", "artist", "title", "style", "start",
    "seconds", "one", "two",
)  # fmt: skip


def vote(key: int) -> str:
    """All votes for one key."""
    return " ".join("1.0" if index == key else "0.0" for index in range(24))


def line(**cells: str) -> dict[str, str]:
    """A line of a list of votes."""
    return {
        "source": "debian", "origin": "a-package", "version": "1:2.0-1", "path": "usr/a.ogg", "md5": "0" * 32,
        "licence": "CC0", "copyright": "Somebody", "artist": "Somebody", "title": "A", "style": "",
        "start": "0", "seconds": "2", "one": vote(0), "two": vote(1), **cells,
    }  # fmt: skip


def write_list(path: Path, lines: Iterable[Mapping[str, str]]) -> Path:
    """Write a list of votes of the voter ``one`` (and ``two``, if a line has votes that differ)."""
    lines = list(lines)
    header = HEADER if any(item["two"] != vote(1) for item in lines) else HEADER[:-1]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return path


def md5(content: bytes) -> str:
    """The MD5 of a file's content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write_spec(folder: Path, lines: Iterable[Mapping[str, str]], **audio: Any) -> DatasetSpec:
    """Write the description of a dataset with votes, and load it."""
    write_list(folder / "voted.csv", lines)
    values = {
        "name": "voted", "title": "t", "licence": "l", "citation": "c", "role": "train", "split": {"test": 0},
        "audio": {"kind": "recordings", "repositories": "https://localhost:1/{repository}.git", **audio},
        "labels": {"kind": "votes", "path": "voted.csv", "weights": {"one": 1}},
        "subsets": {"default": {"meaning": "all"}},
    }  # fmt: skip
    values["split"] = {"test": 0, "validation_groups": ["b-package"]}
    (folder / "voted.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_spec("voted", folder=folder)


def write_deb(
    path: Path, files: Mapping[str, bytes], *, version: str = "1:2.0-1", compression: str = "xz"
) -> Path:
    """Write a Debian package; a file that begins with ``->`` becomes a symbolic link."""
    package = path.name.partition("_")[0]
    control = tar_bytes({"control": f"Package: {package}\nVersion: {version}\n".encode()}, compression)
    data = tar_bytes(files, compression)
    suffix = f".{compression}" if compression else ""
    parts = {"debian-binary": b"2.0\n", f"control.tar{suffix}": control, f"data.tar{suffix}": data}
    content = b"!<arch>\n"
    for name, part in parts.items():
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode()
        content += part + b"\n" * (len(part) % 2)
    path.write_bytes(content)
    return path


def tar_bytes(files: Mapping[str, bytes], compression: str) -> bytes:
    """A tar archive; a file that begins with ``->`` becomes a symbolic link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name if name.startswith(("/", "..")) else f"./{name}")
            if content.startswith(b"->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:].decode()
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def write_apt_get(folder: Path, packages: Path) -> Path:
    """Write a program ``apt-get`` that takes packages from a folder, and logs to ``apt.log`` beside it.

    A package that is missing is unknown; the name ``unreachable`` stands for mirrors that do not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "apt-get"
    program.write_text(
        f"""#!/bin/sh
for name; do :; done
echo "$name" >> {folder}/apt.log
case "$name" in unreachable*) echo "E: Failed to fetch http://mirror/$name.deb" >&2; exit 100;; esac
cp {packages}/"$name"_*.deb . 2>/dev/null && exit 0
echo "E: Unable to locate package $name" >&2
exit 100
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return folder


def make_repository(folder: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> str:
    """Make a git repository: a commit of these files and links, and one without them; return the first."""
    folder.mkdir(parents=True)

    def git(*arguments: str) -> str:
        settings = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet", "--template=")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name, target in (links or {}).items():
        (folder / name).symlink_to(target)
    git("add", "--all")
    git("commit", "--quiet", "-m", "first")
    commit = git("rev-parse", "HEAD")
    git("rm", "--quiet", "-r", ".")
    git("commit", "--quiet", "--allow-empty", "-m", "second")
    return commit
