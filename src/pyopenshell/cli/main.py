"""The `openshell` command: makes a context of this process and runs one command in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyopenshell.cli.context import Context
from pyopenshell.errors import EXIT_INTERRUPTED

STANDARD = (0, 1, 2)  # stdin, stdout, stderr


def standard_descriptors() -> list[int | None]:
    """The three descriptors, None for one that was closed.

    A closed one is filled with /dev/null first: otherwise the next file or socket that is opened would become, say, the
    standard output of everything that follows.
    """
    found: list[int | None] = []
    for descriptor in STANDARD:
        try:
            os.fstat(descriptor)
            found.append(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, so exactly this one
            found.append(None)
    return found


def this_program(argv0: str) -> tuple[str, ...]:
    """The command line that runs this program again, from any directory."""
    path = Path(argv0)
    if path.suffix != ".py" and path.is_file() and os.access(path, os.X_OK):
        return (str(path.absolute()),)
    return (sys.executable, "-m", "pyopenshell.cli.main")


def main() -> None:
    """Entry point: exits with the command's status."""
    stdin, stdout, stderr = standard_descriptors()
    try:
        cwd = Path.cwd()
    except OSError:
        cwd = Path("/")  # it was removed under us
    context = Context(stdin, stdout, stderr, cwd, dict(os.environ), this_program(sys.argv[0]))
    try:
        from pyopenshell.cli.app import finish, parse

        found = parse(sys.argv[1:], context)
        if not isinstance(found, int):
            import asyncio

            found = asyncio.run(finish(found, context))
    except KeyboardInterrupt:
        found = EXIT_INTERRUPTED
    # Nothing of ours is buffered, and a thread that waits for input must not be waited for.
    os._exit(found)


if __name__ == "__main__":
    main()
