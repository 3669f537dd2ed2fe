"""Logging set-up, for main modules: one handler on the `pyopenshell` logger, text or JSON, cleaned.

Text that others chose (names, errors of peers, output) ends up in logs, so every line is stripped of control characters (a
terminal must not obey it, a line must not look like two) and of what has the shape of a secret. A traceback is the one thing
that has several lines in text form; each of them is cleaned.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.text import clean, redact

LOGGER = "pyopenshell"
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
LINE_MAX = 8192  # characters of one message; journald cuts at 48 KiB, people long before


class _TextForm(logging.Formatter):
    """`2026-11-23T15:00:00.123Z info gateway.forward: message`."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_stamp(record)} {record.levelname.lower()} {_short(record)}: {_message(record)}"
        return "\n".join([line, *(f"    {trace}" for trace in _trace(self, record))])


class _JsonForm(logging.Formatter):
    """One JSON object in one line: time, level, logger, message, and trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "logger": _short(record),
            "message": _message(record),
        }
        trace = _trace(self, record)
        if trace:
            fields["trace"] = trace
        return json.dumps(fields, ensure_ascii=False)


def configure(
    level: str = "info", *, fmt: str = "text", stream: TextIO | None = None, file: Path | None = None
) -> logging.Logger:
    """Set the `pyopenshell` logger up and return it: to `file` (0600, appended) or to `stream` (default stderr).

    Calling it again replaces what was set up before. Raises INVALID for an unknown level or format, PRECONDITION where
    the file cannot be opened.
    """
    if level not in LEVELS:
        raise OpenShellError(Code.INVALID, f"log level {level[:80]!r} does not exist", hint=f"use {', '.join(LEVELS)}")
    if fmt not in FORMATS:
        raise OpenShellError(Code.INVALID, f"log format {fmt[:80]!r} does not exist", hint=f"use {', '.join(FORMATS)}")
    handler = _file_handler(file) if file else logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonForm() if fmt == "json" else _TextForm())
    logging.raiseExceptions = False  # a log that cannot be written must not fill stderr with tracebacks about it
    logger = logging.getLogger(LOGGER)
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    return logger


def _file_handler(file: Path) -> logging.Handler:
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        return logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise OpenShellError(
            Code.PRECONDITION,
            f"the log file {file} cannot be opened: {os.strerror(error.errno or 0)}",
            hint="check its directory, owner and mode",
        ) from None


def _stamp(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _short(record: logging.LogRecord) -> str:
    return clean(record.name.removeprefix(f"{LOGGER}.") or LOGGER)


def _message(record: logging.LogRecord) -> str:
    return clean(redact(record.getMessage()[: 2 * LINE_MAX]), LINE_MAX)  # what is cut anyway is not searched


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return [clean(line, LINE_MAX) for line in redact(formatter.formatException(record.exc_info)).split("\n")]
