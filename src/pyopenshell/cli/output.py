"""How results look: a table that fits the terminal, or JSON or YAML for programs. Text of a peer is cleaned here.

Programs get everything, with names that stay (`snake_case`, times in RFC 3339); a table gets what fits. Where the output is
not a terminal a table is written without a limit of width, as grep and awk want it.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

from pyopenshell.cli.context import Context
from pyopenshell.model import Phase

GAP = 2  # spaces between columns
NARROWEST = 3  # columns that a cell is squeezed to at least
ELLIPSIS = "…"
_COLOURS = {
    Phase.READY.label: "32",
    Phase.COMPLETED.label: "32",
    Phase.ERROR.label: "31",
    Phase.PROVISIONING.label: "33",
    Phase.STARTING.label: "33",
    Phase.STOPPING.label: "33",
    Phase.DELETING.label: "33",
}  # SGR numbers of ECMA-48: green, red, yellow


def clean(text: str, *, keep: str = "") -> str:
    """`text` without control and direction characters (categories Cc and Cf), which could act on a terminal."""
    return "".join(
        c if c in keep or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " " for c in text
    )


def show_list(context: Context, kind: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Show `rows` in the given kind of output; `columns` maps a table's headings to keys of a row."""
    if kind != "table":
        _show_data(context, kind, [plain(row) for row in rows])
        return
    if not rows and context.is_terminal(context.stdout):
        context.err("nothing found")
        return
    table = [list(columns)] + [[clean(cell(row.get(key))) for key in columns.values()] for row in rows]
    for line in layout(table, context.width, colour=context.colour):
        context.out(line)


def show_one(context: Context, kind: str, row: Mapping[str, Any]) -> None:
    """Show one thing, as `name  value` lines; empty values are left out of the table."""
    if kind != "table":
        _show_data(context, kind, plain(row))
        return
    lines: list[tuple[str, str]] = []
    for key, value in row.items():
        title = key.replace("_", " ")
        if isinstance(value, Mapping):
            lines += [(f"{title} {clean(name)}", clean(cell(content))) for name, content in value.items()]
        elif (text := clean(cell(value))) != "":
            lines.append((title, text))
    width = max((len(title) for title, _ in lines), default=0)
    for title, text in lines:
        for number, part in enumerate(wrap(text, context.width, width + GAP)):
            context.out(f"{title if not number else '':<{width + GAP}}{part}")


def show_record(context: Context, kind: str, row: Mapping[str, Any], line: str) -> None:
    """One of a stream of things: JSON Lines, YAML documents, or `line`."""
    if kind == "json":
        context.out(json.dumps(plain(row)))
    elif kind == "yaml":
        context.out("---\n" + _yaml(plain(row)).rstrip("\n"))
    else:
        context.out(line)


def layout(table: Sequence[Sequence[str]], width: int | None, *, colour: bool = False) -> list[str]:
    """Lines of a table with its heading first; the widest columns are squeezed until it fits `width`."""
    columns = [max(display_width(row[i]) for row in table) for i in range(len(table[0]))]
    if width is not None:
        spare = width - GAP * (len(columns) - 1)
        while sum(columns) > spare and max(columns) > NARROWEST:
            columns[columns.index(max(columns))] -= 1
    lines = []
    for number, row in enumerate(table):
        cells = []
        for content, size in zip(row, columns, strict=True):
            text = squeeze(content, size)
            padded = text + " " * (size - display_width(text))
            sgr = _COLOURS.get(content) if colour and number else "1" if colour else None
            cells.append(f"\x1b[{sgr}m{padded}\x1b[0m" if sgr else padded)
        lines.append((" " * GAP).join(cells).rstrip())
    return lines


def squeeze(text: str, size: int) -> str:
    """`text` in at most `size` columns, with an ellipsis where something is missing."""
    if display_width(text) <= size:
        return text
    kept = ""
    for character in text:
        if display_width(kept + character) > size - 1:
            break
        kept += character
    return kept + ELLIPSIS


def wrap(text: str, width: int | None, indent: int) -> list[str]:
    """`text` in pieces that fit beside an indent; never fewer than 8 columns, however narrow the terminal is."""
    if width is None:
        return [text]
    room = max(8, width - indent)
    return [text[start : start + room] for start in range(0, len(text), room)] or [""]


def display_width(text: str) -> int:
    """Columns on a terminal: wide and full-width characters (UAX #11) take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )


def cell(value: Any) -> str:
    """A value as people read it."""
    if value is None or value == "":
        return ""
    if isinstance(value, Phase):
        return value.label
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return ",".join(f"{key}={cell(content)}" for key, content in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(cell(content) for content in value)
    return str(value)


def plain(value: Any) -> Any:
    """A value as JSON and YAML hold it; strings stay whole, because a program is not a terminal."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Phase):
        return value.label
    if isinstance(value, Enum) and not isinstance(value, IntEnum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(content) for content in value]
    return value


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in one unit: 5s, 12m, 3h, 8d."""
    if moment is None:
        return ""
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _show_data(context: Context, kind: str, data: Any) -> None:
    context.out(json.dumps(data, indent=2) if kind == "json" else _yaml(data).rstrip("\n"))


def _yaml(data: Any) -> str:
    import yaml  # 15 ms that only `-o yaml` needs

    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=False))
