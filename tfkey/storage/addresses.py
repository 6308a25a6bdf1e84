"""Which paths are elsewhere, how they are named, and what their schemes need."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import urllib.parse
from pathlib import Path
from typing import Any, cast

from tfkey.errors import UsageError

OBJECT_STORES = frozenset({
    "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "ocilake", "tos", "tosfs", "hf",
})  # fmt: skip
"""Schemes whose objects appear, or are replaced, as a whole at the end of an upload."""

WEB = frozenset({"http", "https"})
"""Schemes that can be read but neither listed nor written."""

LISTABLE = OBJECT_STORES | {"hdfs", "webhdfs", "arrow_hdfs", "sftp", "ssh", "ftp", "smb", "webdav", "memory"}
"""Schemes of storage that has folders of files."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_LOCAL = frozenset({"file", "local"})
_USUAL = ("s3", "gs", "abfs", "hdfs", "sftp", "https")
# The package that a scheme needs, as it is imported and as it is installed. fsspec itself finds some of them
# missing only at the first access.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "s3fs")),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "gcsfs")),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), ("adlfs", "adlfs")),
    **dict.fromkeys(("hdfs", "arrow_hdfs"), ("pyarrow", "pyarrow")),
    **dict.fromkeys(("http", "https"), ("aiohttp", "aiohttp")),
    **dict.fromkeys(("sftp", "ssh"), ("paramiko", "paramiko")),
    "smb": ("smbprotocol", "smbprotocol"),
}
_CONNECT_SECONDS, _READ_SECONDS = 30.0, 60.0
_USER = re.compile(r"(://)[^/\s@?#]*@")
_SECRET = re.compile(
    r"([?&](?:(?:x-(?:amz|goog)-)?(?:signature|credential|security-token)|sig|(?:access_?)?token|auth|"
    r"(?:api_?|access_?)?key|awsaccesskeyid|googleaccessid|password|passwd|pwd|secret|policy)=)[^&\s'\"]*",
    re.IGNORECASE,
)


def scheme_of(path: str | os.PathLike[str]) -> str | None:
    """Return the scheme of a path elsewhere, in lower case; None if the path is local.

    ``file://`` is local, and so is a drive of Windows: a scheme has two characters or more.
    """
    if isinstance(path, os.PathLike):
        # UPath is no os.PathLike.
        return None
    found = _SCHEME.match(str(path))
    name = found[1].lower() if found else None
    return None if name in _LOCAL else name


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is elsewhere: a text that begins with a scheme (``s3://``), or a UPath."""
    return scheme_of(path) is not None


def located(text: str | os.PathLike[str]) -> Path:
    """Return the path that a text names: a UPath if it begins with a scheme, else a Path.

    Raises:
        UsageError: the extra ``remote`` or the package for this scheme is not installed, or fsspec does not
            know the scheme.
    """
    scheme = scheme_of(text)
    if scheme is None:
        if isinstance(text, str) and _SCHEME.match(text):
            from urllib.request import url2pathname  # slow to import

            return Path(url2pathname(urllib.parse.urlsplit(text).path))
        return Path(text)
    if not isinstance(text, str):
        return cast(Path, text)
    _check_scheme(scheme, text)
    from upath import UPath

    # The scheme in lower case: fsspec knows it so.
    return cast(Path, UPath(scheme + text[len(scheme) :], **_options(scheme)))


def shown(path: str | os.PathLike[str]) -> str:
    """Return the text of a path for messages and results: without user, password, token or signature."""
    return redacted(str(path)) if is_remote(path) else str(path)


def redacted(text: str) -> str:
    """Return a text without the users, passwords, tokens and signatures in the URLs that it contains."""
    return _SECRET.sub(r"\1...", _USER.sub(r"\1", text))


def name_of(path: Path) -> str:
    """Return the name of a file; what follows ``?`` or ``#`` is no part of a name on the web."""
    if scheme_of(path) in WEB:
        address = urllib.parse.urlsplit(str(path))
        return urllib.parse.unquote(address.path.rpartition("/")[2]) or address.netloc.rpartition("@")[2]
    return path.name


def suffix_of(path: Path) -> str:
    """Return the suffix of a file's name (see :func:`name_of`), with its dot."""
    return Path(name_of(path)).suffix if scheme_of(path) in WEB else path.suffix


def _check_scheme(scheme: str, text: str) -> None:
    wrong = _wrong_with(scheme)
    if wrong is not None:
        raise UsageError(f"{redacted(text)}: {wrong[0]}; {wrong[1]}")


@functools.lru_cache(maxsize=64)
def _wrong_with(scheme: str) -> tuple[str, str] | None:
    """What is wrong with a scheme, and the remedy; None if nothing is."""
    if importlib.util.find_spec("fsspec") is None or importlib.util.find_spec("upath") is None:
        return "storage elsewhere needs the extra remote", "pip install 'tfkey[remote]'"
    module, package = _PACKAGES.get(scheme, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        extra = "'tfkey[remote]'" if package in ("s3fs", "aiohttp") else package
        return f"{scheme}:// needs {package}, which is not installed", f"pip install {extra}"
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        return f"{scheme}:// needs a package that is not installed ({error})", "install it"
    except ValueError:
        usual = ", ".join(f"{name}://" for name in _USUAL)
        return f"fsspec does not know the scheme {scheme}://", f"use another, such as {usual}"
    return None


@functools.lru_cache(maxsize=64)
def _options(scheme: str) -> dict[str, Any]:
    """What tfkey asks of the file system beyond its configuration."""
    if scheme not in OBJECT_STORES | WEB:
        return {}
    # Listings that are remembered do not show what another process writes.
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in WEB:
        import fsspec.config
        from aiohttp import ClientTimeout

        # The default allows five minutes for a whole file.
        timeout = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
        named = fsspec.config.conf.get(scheme, {}).get("client_kwargs", {})
        options["client_kwargs"] = {"timeout": timeout, **named}
    return options
