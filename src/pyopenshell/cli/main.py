"""The `openshell` command: makes a context of this process and runs one command in it.

Almost everything is imported inside `main`: a Ctrl-C may come at any moment, and during the imports of a module it would be
a traceback.
"""

from __future__ import annotations

import os
import sys

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
    from pathlib import Path

    path = Path(argv0)
    if path.suffix != ".py" and path.is_file() and os.access(path, os.X_OK):
        return (str(path.absolute()),)
    return (sys.executable, "-m", "pyopenshell.cli.main")


def main() -> None:
    """Entry point: exits with the command's status."""
    try:
        found = _run()
    except KeyboardInterrupt:
        from pyopenshell.errors import EXIT_INTERRUPTED

        found = EXIT_INTERRUPTED
    # Nothing of ours is buffered, and a thread that waits for input must not be waited for.
    os._exit(found)


def _run() -> int:
    stdin, stdout, stderr = standard_descriptors()
    from pathlib import Path

    from pyopenshell.cli.app import finish, parse
    from pyopenshell.cli.context import Context

    try:
        cwd = Path.cwd()
    except OSError:
        cwd = Path("/")  # it was removed under us
    context = Context(stdin, stdout, stderr, cwd, dict(os.environ), this_program(sys.argv[0]))
    found = parse(sys.argv[1:], context)
    if isinstance(found, int):
        return found
    import asyncio

    return asyncio.run(finish(found, context))


if __name__ == "__main__":
    main()
