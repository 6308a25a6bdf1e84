"""Licences of single files."""

from __future__ import annotations

import pytest

from pipelines.originals.copyright_files import Licence, licence_of

TEXT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Source: http://x

Files: *
Copyright: 2001 The Team
           2002 Others
License: GPL-2+

Files: data/music/*
Copyright:
 Ann
 .
 Ben <ben@example.org>
License: CC-BY-SA-3.0
 text of the licence
 .
 Files: not a field

Files: data/music/special*.ogg ./dat/snd/launch?.ogg
Copyright: Cleo
License: CC0-1.0

# a comment
Files:
 share/game/Data/Sounds/*
Copyright: Dan
License: GFDL-1.3

Files: debian/*
Copyright: Eve
License: MIT

Files: *.svg
Copyright: Finn
License: LGPL

Files: base/music/track01.ogg
Copyright: Gus
License: CC-BY-3.0

License: MIT
 text
"""


@pytest.mark.parametrize(
    ("path", "name", "holders"),
    [
        ("usr/share/games/g/data/music/a/b.ogg", "CC-BY-SA-3.0", ("Ann", "Ben <ben@example.org>")),
        ("usr/share/games/g/data/music/special-1.ogg", "CC0-1.0", ("Cleo",)),
        ("usr/share/g/dat/snd/launch2.ogg", "CC0-1.0", ("Cleo",)),
        ("usr/share/games/g/music/plain.ogg", "CC-BY-SA-3.0", ("Ann", "Ben <ben@example.org>")),
        ("usr/share/games/game/Data/Sounds/x.ogg", "GFDL-1.3", ("Dan",)),
        ("usr/share/g/base/0music.pk3.d/music/track01.ogg", "CC-BY-3.0", ("Gus",)),
        ("usr/share/g/track01.ogg", "CC-BY-3.0", ("Gus",)),
        ("usr/share/g/other/y.ogg", "GPL-2+", ("2001 The Team", "2002 Others")),
    ],
)
def test_paragraph_of_a_file(path: str, name: str, holders: tuple[str, ...]) -> None:
    assert licence_of(TEXT, path) == Licence(name, holders)
    assert licence_of(TEXT.replace("\n", "\r\n"), path) == Licence(name, holders)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "This package was debianized by somebody.\n\nFiles: *\nLicense: GPL",
        TEXT.split("Files: *")[0],
        TEXT.split("Files: *")[0] + "Files: *\nCopyright: without a licence\n",
    ],
)
def test_nothing_stated(text: str) -> None:
    assert licence_of(text, "usr/share/a.ogg") is None
