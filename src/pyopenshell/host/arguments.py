"""The words of `openshell-supervisor`: commands, flags, examples, and what each flag may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pyopenshell.errors import OpenShellError
from pyopenshell.model import check_label, check_name

PROGRAM = "openshell-supervisor"
LINE_HELP = "an invitation for a host ('openshell gateway invite --role host'); - reads it from standard input"
#: More than a machine holds: a sandbox is two processes and some 20 MB, and a kernel has 4,194,304 pids (PID_MAX_LIMIT).
MAX_SANDBOXES = 100_000

T = TypeVar("T")


def parser() -> argparse.ArgumentParser:
    """Reads argv into `command` and its flags."""
    made = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Have sandboxes on this machine for a gateway on another one. It dials out: nothing listens here.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  openshell-supervisor join - --name web < invitation     one sandbox here, until it is deleted\n"
        "  openshell-supervisor serve - --max 20 < invitation      a host that the gateway places sandboxes on\n"
        "  openshell-supervisor serve --max 20                     the same, once it is enrolled\n\n"
        "The invitation holds a secret that works once: given as an argument, other users see it while it is used.",
    )
    made.add_argument("--version", action="version", version=version("pyopenshell"))
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    join = _command(
        commands, "join", "make one sandbox on this machine and keep it reachable", "join - --name web < invitation"
    )
    join.add_argument("line", nargs="?", default="", metavar="LINE", help=LINE_HELP)
    join.add_argument("--name", type=_checked(_name), help="name of the sandbox (default: made up)")
    join.add_argument("--host-name", type=_checked(_name), metavar="NAME", help=HOST_NAME_HELP)

    serve = _command(
        commands,
        "serve",
        "offer this machine to the gateway, which places sandboxes on it",
        "serve - --max 20 --label zone=lab --images /srv/images < invitation",
    )
    serve.add_argument("line", nargs="?", default="", metavar="LINE", help=LINE_HELP)
    serve.add_argument(
        "--max", type=_checked(_count), default=0, metavar="N", help="sandboxes at once (default: no limit)"
    )
    serve.add_argument("--host-name", type=_checked(_name), metavar="NAME", help=HOST_NAME_HELP)
    serve.add_argument(
        "--label",
        type=_checked(_label),
        action="append",
        default=[],
        metavar="K=V",
        help="for --host-label; repeatable",
    )
    serve.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="sandboxes may be made of what is below it, by 'create --from'; repeatable (default: of nothing)",
    )

    _command(commands, "status", "say where this host is enrolled and what is on it", "status")
    leave = _command(commands, "leave", "forget where this host is enrolled", "leave")
    leave.add_argument("--force", action="store_true", help="end the sandboxes that are here, and remove their files")
    return made


HOST_NAME_HELP = "name of this host (default: the machine's; an invitation may have one)"


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=f"example: {PROGRAM} {example}"
    )


def _checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read`, whose errors are shown by argparse."""

    def reader(text: str) -> T:
        try:
            return read(text)
        except OpenShellError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return reader


def _name(text: str) -> str:
    return check_name(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_SANDBOXES):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 1 to {MAX_SANDBOXES}")
    return int(text)


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not KEY=VALUE")
    check_label(key, value)
    return key, value
