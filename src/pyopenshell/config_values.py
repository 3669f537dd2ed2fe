"""How each kind of configuration value is read, from TOML's own types and from the text of the environment and of flags."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyopenshell.errors import OpenShellError
from pyopenshell.model import PORT_MAX, check_name


class BadValue(ValueError):
    """The value is not of its kind; the text says what would be."""


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([0-9]+)\s*(B|KB|MB|GB|KiB|MiB|GiB|)", re.ASCII)
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ON = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise BadValue("text is wanted")
    return value


def _name(value: object) -> str:
    try:
        return check_name(_text(value))
    except OpenShellError as error:
        raise BadValue(error.hint) from None


def _path(value: object) -> Path:
    path = value if isinstance(value, Path) else Path(_text(value))
    if not path.is_absolute():
        raise BadValue("an absolute path is wanted")
    return path


def _address(value: object) -> str:
    import ipaddress  # 3 ms that only a gateway needs

    try:
        return str(ipaddress.ip_address(_text(value)))
    except ValueError:
        raise BadValue("an IP address is wanted, as 127.0.0.1 or ::1") from None


def _integer(value: object, low: int, high: int, words: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadValue(words)
    return value


def _switch(value: object) -> bool:
    found = value if isinstance(value, bool) else _ON.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise BadValue("true or false is wanted")
    return found


def _duration(value: object) -> float:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        value = float(match[1]) * _SECONDS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise BadValue("a duration is wanted: seconds, or a number with ms, s, m, h or d")
    return float(value)


def _time(value: object) -> float:
    seconds = _duration(value)
    if not seconds:
        raise BadValue("a duration over 0 is wanted")
    return seconds


def _size(value: object) -> int:
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        value = int(match[1]) * _BYTES[match[2]]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise BadValue("a size is wanted: bytes, or a number with KiB, MiB, GiB, KB, MB or GB")
    return value


def _list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise BadValue("a list of texts is wanted")
    return tuple(_text(part) for part in value)


def _one_of(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in choices or not isinstance(value, str):
            raise BadValue(f"one of {', '.join(choices)} is wanted")
        return value

    return read


COUNT_MAX = 1_000_000  # more of anything countable here is a slip of the keyboard

#: The reader of each kind: returns the value or raises BadValue.
READERS: Mapping[str, Callable[[object], Any]] = {
    "text": _text,
    "name": _name,
    "path": _path,
    "address": _address,
    "port": lambda value: _integer(value, 0, PORT_MAX, f"a port is wanted: 0 to {PORT_MAX}"),
    "count": lambda value: _integer(value, 0, COUNT_MAX, f"a whole number from 0 to {COUNT_MAX} is wanted"),
    "positive": lambda value: _integer(value, 1, COUNT_MAX, f"a whole number from 1 to {COUNT_MAX} is wanted"),
    "switch": _switch,
    "duration": _duration,
    "time": _time,
    "size": _size,
    "list": _list,
    "level": _one_of("debug", "info", "warning", "error"),
    "log format": _one_of("text", "json"),
    "isolation": _one_of("best", "strict"),
    "output": _one_of("table", "json", "yaml"),
}
