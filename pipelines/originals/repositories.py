"""Files of one commit of a public git repository, without the rest of the repository and its history."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from pipelines.catalogue.votes import is_safe_member
from pipelines.folder_lock import alone_in
from pipelines.originals.reach import failure
from pipelines.originals.scratch import scratch_folder
from pipelines.text import printable
from tfkey.errors import DataError

_SECONDS = 1800.0
# No settings or files of the user's change what is written, and nothing asks for a password.
_SETTINGS = ("-c", "core.autocrlf=false", "-c", "core.symlinks=false", "-c", "core.hooksPath=/dev/null")
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_OF_A_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}
_PATHS_AT_ONCE = 200


def repository_files(
    repository: str, commit: str, paths: Collection[str], folder: Path, url: str
) -> dict[str, Path]:
    """Fetch files of a commit, unless they are there already.

    Only the commit is fetched, without its history; of the files, only these, if the host supports it.

    Args:
        repository: its name, such as ``librosa/data``.
        commit: 40 hexadecimal digits.
        paths: the files, relative to the top of the repository.
        folder: the files are put to ``<folder>/<repository>/<path>``.
        url: the address of the repository.

    Returns:
        The files by their paths; those that the commit does not have are missing.

    Raises:
        DataError: git is not installed, or the repository or the commit cannot be fetched.
    """
    target = folder / repository
    for path in paths:
        if not is_safe_member(path):
            raise DataError(f"{repository}: the path {printable(path)!r} leads out of the repository")
    if not needs_git(repository, paths, folder):
        return {path: target / path for path in paths}
    with alone_in(folder):
        missing = [path for path in paths if not (target / path).is_file()]
        if missing:
            check_git(repository)
            with scratch_folder(folder, repository) as scratch:
                _fetch(repository, commit, missing, scratch, url)
                for path in missing:
                    fetched = scratch / path
                    if fetched.is_file() and not fetched.is_symlink():
                        (target / path).parent.mkdir(parents=True, exist_ok=True)
                        os.replace(fetched, target / path)
    return {path: target / path for path in paths if (target / path).is_file()}


def needs_git(repository: str, paths: Collection[str], folder: Path) -> bool:
    """Whether :func:`repository_files` would have to fetch something."""
    return not all((folder / repository / path).is_file() for path in paths)


def check_git(what: str) -> None:
    """Check that repositories can be fetched.

    Raises:
        DataError: git is not installed; ``what`` begins the message.
    """
    if shutil.which("git") is None:
        raise DataError(
            f"{what}: is in git repositories, and git is not installed; install git, or give a folder with "
            "the repositories",
            remedy="source",
        )


def _fetch(repository: str, commit: str, paths: Sequence[str], folder: Path, url: str) -> None:
    """Check out files of a commit in an empty folder."""
    _git(repository, folder, "init", "--quiet", "--template=")
    _git(repository, folder, "remote", "add", "origin", url)
    shallow = ("--depth=1", "--no-tags", "--filter=blob:none")
    _git(repository, folder, "fetch", "--quiet", *shallow, "origin", commit)
    listed = _git(repository, folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    there = set(listed.decode("utf-8", "surrogateescape").split("\0"))
    wanted = [path for path in paths if path in there]
    for first in range(0, len(wanted), _PATHS_AT_ONCE):
        part = wanted[first : first + _PATHS_AT_ONCE]
        _git(repository, folder, "--literal-pathspecs", "checkout", "--quiet", commit, "--", *part)


def _outside() -> dict[str, str]:
    """Return the environment without the repository that this process may run in, such as in a hook."""
    return {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}


def _git(repository: str, folder: Path, *arguments: str) -> bytes:
    """Run git in a folder and return its output."""
    try:
        done = subprocess.run(
            ["git", *_SETTINGS, *arguments],
            cwd=folder,
            env={**_outside(), **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{repository}: git took more than {_SECONDS:.0f} s; check the network") from error
    except OSError as error:
        raise DataError(f"{repository}: git cannot be run ({error.strerror})") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        errors = [line for line in lines if line.startswith(("fatal:", "error:"))]
        telling = printable((errors or lines or ["no reason given"])[0])
        raise failure(repository, "\n".join(lines), telling, "leave it out")
    return done.stdout
