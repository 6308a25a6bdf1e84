"""Files in storage elsewhere: object stores, HDFS, web servers (extra ``remote``: fsspec, universal_pathlib).

A path is local unless it begins with a scheme, such as ``s3://``. Paths elsewhere are ``UPath``, which has
the methods of :class:`pathlib.Path`; :func:`located` makes them. They are read through :func:`fetched` and
written through :func:`committed` (for both kinds of paths: :func:`tfkey.files.atomic_path`).

Credentials and endpoints come from where the libraries look for them: the environment, ``~/.aws`` and the
like, and fsspec's own configuration (``FSSPEC_S3_ENDPOINT_URL``, ``~/.config/fsspec``). No message shows
credentials.
Nothing here imports fsspec until it meets a path elsewhere.
"""

from tfkey.storage.addresses import (
    LISTABLE,
    OBJECT_STORES,
    WEB,
    is_remote,
    located,
    name_of,
    redacted,
    scheme_of,
    shown,
    suffix_of,
)
from tfkey.storage.failures import NO_CREDENTIALS, retried, storage_errors
from tfkey.storage.locks import Holder, alone_at
from tfkey.storage.transfer import (
    check_writable,
    committed,
    fetched,
    files_below,
    kind_of,
    partial_beside,
    put,
    remove,
    remove_partials,
)

__all__ = [
    "LISTABLE", "NO_CREDENTIALS", "OBJECT_STORES", "WEB", "Holder", "alone_at", "check_writable",
    "committed", "fetched", "files_below", "is_remote", "kind_of", "located", "name_of", "partial_beside",
    "put", "redacted", "remove", "remove_partials", "retried", "scheme_of", "shown", "storage_errors",
    "suffix_of",
]  # fmt: skip
