"""The forms in which ``tfkey predict`` writes results, and reads them back."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.streams import path_of_name, printable, text_of_name
from tfkey.errors import DataError, UsageError
from tfkey.files import csv_lines
from tfkey.inference.answers import answer, over_time, ranking
from tfkey.keys import KEYS, Key, relation
from tfkey.storage import is_remote, shown

if TYPE_CHECKING:
    from tfkey.inference.many_files import Outcome

FORMATS = ("table", "csv", "json", "jsonl")
SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}

# Lone surrogates, which UTF-8 cannot represent, and characters that some readers take for a line end.
_ESCAPED_IN_JSON = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Record = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """What is written about each file.

    Attributes:
        format: one of :data:`FORMATS`.
        notation: the notation of the keys.
        top: how many keys are named.
        over_time: whether segments are written.
        has_tags: whether the outcome of tagging is written.
        probabilities: whether the probabilities of all keys are written.
        known: reference keys by file; None if there is no reference.
    """

    format: str = "table"
    notation: str = "long"
    top: int = 1
    over_time: bool = False
    has_tags: bool = False
    probabilities: bool = False
    known: dict[Path, Key] | None = field(default=None, repr=False)

    def record(self, outcome: Outcome) -> Record:
        """Return the fields of an analysed file, as in JSON."""
        found = outcome.estimate
        assert found is not None
        record: Record = {
            "file": text_of_name(outcome.path),
            **answer(found, self.notation),
        }
        if self.top > 1:
            record["ranked"] = ranking(found, self.top, self.notation)
        if self.probabilities:
            # The probabilities of silence would be nonsense.
            is_music = found.tuning_cents is not None
            values = {key.long: round(float(found.probabilities[key.index]), 6) for key in KEYS}
            if self.format == "csv":
                record |= values if is_music else dict.fromkeys(values)
            else:
                record["probabilities"] = values if is_music else None
        if self.over_time:
            record["segments"] = over_time(found, self.notation)
        if self.known is not None:
            expected = self.known.get(outcome.path)
            record["reference"] = self._write(expected)
            both = expected is not None and found.key is not None
            record["relation"] = relation(expected, found.key) if both else None  # type: ignore[arg-type]
        if self.has_tags:
            change = outcome.change
            record["tag"] = None if change is None else change.state
            record["tag_before"] = None if change is None else change.before
        return record

    def columns(self) -> list[str]:
        """Return the columns of CSV."""
        if self.over_time:
            return ["file", "start", "end", "key", "confidence"]
        names = ["file", "key", "confidence", "reason", "tuning_cents", "seconds", "warning"]
        names += [f"{name}_{place}" for place in range(2, self.top + 1) for name in ("key", "confidence")]
        names += ["reference", "relation"] if self.known is not None else []
        names += ["tag", "tag_before"] if self.has_tags else []
        return names + ([key.long for key in KEYS] if self.probabilities else [])

    def heading(self) -> str:
        """Return what is written before the first record."""
        if self.format == "csv":
            return csv_lines([self.columns()])
        if self.format == "table":
            times = f"{'start':>8}  {'end':>8}  " if self.over_time else ""
            more = "" if self.over_time else self._more(["next", "conf."] * (self.top - 1))
            return f"{times}{'key':{self._width}}  conf.{more}  file\n"
        return ""

    def text(self, record: Record) -> str:
        """Return one record as text, with a line end except in JSON."""
        if self.format in ("json", "jsonl"):
            line = json.dumps(record, ensure_ascii=False)
            line = _ESCAPED_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
            return line if self.format == "json" else line + "\n"
        if self.format == "csv":
            return csv_lines(self._rows(record))
        return "".join(self._table_lines(record))

    def _write(self, key: Key | None) -> str | None:
        return None if key is None else key.write(self.notation)

    def _rows(self, record: Record) -> Iterator[list[Any]]:
        if self.over_time:
            for part in record["segments"]:
                yield [record["file"], *part.values()]
            return
        flat = dict(record)
        for place, ranked in enumerate(record.get("ranked", []), start=1):
            flat |= {f"{name}_{place}": value for name, value in ranked.items()}
        yield [flat[name] for name in self.columns()]

    @property
    def _width(self) -> int:
        return max(3, len(Key(1, "minor").write(self.notation)), len(Key(4, "minor").write(self.notation)))

    def _more(self, cells: Sequence[str]) -> str:
        pairs = zip(cells[::2], cells[1::2], strict=True)
        return "".join(f"  {key:{self._width}}  {confidence}" for key, confidence in pairs)

    def _table_lines(self, record: Record) -> Iterator[str]:
        name = printable(record["file"])
        if self.over_time:
            for part in record["segments"]:
                times = f"{_clock(part['start'])}  {_clock(part['end'])}"
                yield f"{times}  {self._cell(part['key'], part['confidence'])}  {name}\n"
            return
        more = [
            text for ranked in record.get("ranked", [])[1:]
            for text in (ranked["key"], f"{ranked['confidence']:5.3f}")
        ]  # fmt: skip
        notes = "".join(f"  ({record[name]})" for name in ("reason", "warning") if record[name])
        if record.get("reference"):
            notes += f"  reference: {record['reference']} ({record['relation'] or 'no key'})"
        if record.get("tag"):
            before = record["tag_before"]
            notes += f"  tag {record['tag']}" + (f" (was {printable(before)})" if before else "")
        yield f"{self._cell(record['key'], record['confidence'])}{self._more(more)}  {name}{notes}\n"

    def _cell(self, key: str | None, confidence: float | None) -> str:
        return f"{key or '-':{self._width}}  {'-    ' if confidence is None else f'{confidence:5.3f}'}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:2d}:{minutes % 60:02d}:{rest:02d}"


def _place(name: str) -> Path | str:
    """The file that a record names."""
    return name if is_remote(name) else path_of_name(name)


def existing_records(path: Path, form: Form, named: Path | None = None) -> Iterator[tuple[Path | str, str]]:
    """Yield the records of an earlier output: files (URLs as texts), and texts for ``Results.add``.

    Objects without the probabilities that are asked for are left out.

    Args:
        path: the output, or a copy of it.
        form: how it is written.
        named: the output as the user named it, for messages; None for ``path``.

    Raises:
        UsageError: the columns differ.
        DataError: the file is not an output in this format, or cannot be read.
    """
    name = f"--output {shown(named or path)}"
    damaged = DataError(f"{name}: not an output in {form.format} format; delete it or name another")
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            if form.format == "csv":
                rows = csv.reader(stream)
                if next(rows, None) != form.columns():
                    raise UsageError(
                        f"{name}: the columns are not {','.join(form.columns())}; "
                        "give the options that the file was made with, or name another"
                    )
                for row in rows:
                    if row:
                        yield _place(row[0]), csv_lines([row])
            else:
                for record in json.load(stream) if form.format == "json" else map(json.loads, stream):
                    if not form.probabilities or "probabilities" in record:
                        yield _place(record["file"]), form.text(record)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror}); name another") from error
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        raise damaged from error
