"""Which directories of this host a gateway may make sandboxes of: those below `--images`, and none where there is none.

A path is judged by where it leads (all links resolved), and what leads somewhere else is used from there on, so that a link
that is changed afterwards changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError


class Images:
    """The directories given with `--images`. Raises INVALID for one that is none."""

    def __init__(self, directories: Sequence[Path] = ()) -> None:
        self._directories = tuple(_resolved(directory) for directory in directories)

    def find(self, source: str) -> str:
        """The source of a spec with its links resolved; empty for the host's view.

        Raises PRECONDITION for what is not below one of the directories, NOT_FOUND where nothing is there.
        """
        if not source:
            return ""
        kind, _, path = source.partition(":")
        try:
            found = Path(path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # a NUL byte, a loop of links
            found = None
        if found is not None and any(found.is_relative_to(directory) for directory in self._directories):
            return f"{kind}:{found}"
        if not self._directories:
            raise OpenShellError(
                Code.PRECONDITION,
                "this host makes no sandboxes of paths",
                hint="start it with 'openshell-supervisor serve --images DIR'",
            )
        below = ", ".join(map(str, self._directories))
        if found is None and any(Path(path).is_relative_to(directory) for directory in self._directories):
            raise OpenShellError(Code.NOT_FOUND, f"source {path[:200]!r} is not there on this host")
        raise OpenShellError(
            Code.PRECONDITION, f"source {path[:200]!r} is not below the directories that this host allows ({below})"
        )

    @staticmethod
    def follow(source: str) -> str:
        """The same for a sandbox that runs already, so nothing is judged or refused."""
        kind, _, path = source.partition(":")
        return f"{kind}:{Path(path).resolve()}" if path.startswith("/") and "\0" not in path else source


def _resolved(directory: Path) -> Path:
    try:
        found = directory.resolve(strict=True)
    except (OSError, RuntimeError):
        found = None
    if found is None or not found.is_dir():
        raise OpenShellError(Code.INVALID, f"--images {str(directory)!r} is not a directory")
    return found
