"""Logging set-up, for main modules: one handler on the `pyopenshell` logger, text or JSON, cleaned.

Text that others chose (names, errors of peers, output) ends up in logs, so every line is stripped of control characters (a
terminal must not obey it, a line must not look like two) and of what has the shape of a secret.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TextIO

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str = "info", *, fmt: str = "text", stream: TextIO | None = None, file: Path | None = None) -> logging.Logger:
    """Set the `pyopenshell` logger up and return it: to `file` (0600, appended) or to `stream` (default stderr).

    Calling it again replaces what was set up before. Raises INVALID for an unknown level or format, PRECONDITION where
    the file cannot be opened.
    """
    raise NotImplementedError
