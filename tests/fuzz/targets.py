"""All targets by name: what is called with bytes, what it begins with, and which module it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz import audio, packages, tags, texts


@dataclass(frozen=True)
class Target:
    """Something to be fuzzed.

    Attributes:
        check: is called with each input; what it raises is a find.
        seeds: makes the first inputs.
        module: what is fuzzed.
        longest: the inputs' length in bytes; short inputs are fast.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    module: str
    longest: int


TARGETS = {
    "headers": Target(audio.check_head, audio.seeds, "tfkey.audio.headers", 200),
    "chunks": Target(audio.check_chunks, audio.chunk_seeds, "tfkey.audio.chunks", 160),
    "mpeg": Target(audio.check_mpeg, lambda: audio.beginning(b"\xff"), "tfkey.audio.mpeg_frames", 100),
    "ogg": Target(audio.check_ogg, lambda: audio.beginning(b"OggS"), "tfkey.audio.ogg", 160),
    "containers": Target(audio.check_containers, audio.seeds, "tfkey.audio.container_sizes", 144),
    "id3": Target(tags.check_tags, tags.id3_seeds, "tfkey.tags.id3", 256),
    "flac-tags": Target(tags.check_tags, tags.flac_seeds, "tfkey.tags.vorbis", 160),
    "ogg-tags": Target(tags.check_tags, tags.ogg_seeds, "tfkey.tags.ogg", 256),
    "mp4-tags": Target(tags.check_tags, tags.mp4_seeds, "tfkey.tags.mp4", 256),
    "asf-tags": Target(tags.check_tags, tags.asf_seeds, "tfkey.tags.asf", 400),
    "chunk-tags": Target(tags.check_tags, tags.chunk_seeds, "tfkey.tags.chunks", 200),
    "playlists": Target(texts.check_playlist, texts.playlist_seeds, "tfkey.audio.playlists", 72),
    "lists": Target(texts.check_list, texts.list_seeds, "tfkey.audio.playlists", 48),
    "key-tables": Target(texts.check_table, texts.table_seeds, "tfkey.key_tables", 72),
    "known-keys": Target(texts.check_known, texts.table_seeds, "tfkey.known_keys", 72),
    "keys": Target(texts.check_key, texts.key_seeds, "tfkey.keys", 32),
    "debs": Target(packages.check_deb, packages.deb_seeds, "pipelines.originals.deb_archives", 4096),
    "copyright": Target(
        packages.check_copyright, packages.copyright_seeds, "pipelines.originals.copyright_files", 256
    ),
    "votes": Target(packages.check_votes, packages.votes_seeds, "pipelines.catalogue.votes", 1024),
}
