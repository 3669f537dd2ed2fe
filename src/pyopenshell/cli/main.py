"""The `openshell` command: makes a context of this process and runs one command in it.

A Ctrl-C may come at any moment, and during an import it would be a traceback. So the first thing done is to let it end the
process in silence, until there is something to clean up; and almost everything is imported inside `main`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` is made of, without the milliseconds of its enumerations
import os
import sys

STANDARD = (0, 1, 2)  # stdin, stdout, stderr


def _quiet_interrupts() -> None:
    """Let SIGINT end this process (signal(7)), but where whoever started it had it ignored."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def _heard_interrupts() -> None:
    """Let SIGINT be KeyboardInterrupt again, which asyncio makes a cancellation of."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "openshell":  # noqa: PTH119 - pathlib is 5 ms
    _quiet_interrupts()


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

    _heard_interrupts()
    return asyncio.run(finish(found, context))


if __name__ == "__main__":
    main()
