"""The tree of commands: help everywhere, short names, and every error as one line with its exit status."""

from __future__ import annotations

import asyncio

import click
import pytest

from pyopenshell.cli.app import finish, parse, report, root, run
from pyopenshell.cli.commands import Command, Group
from pyopenshell.errors import EXIT_CODES, Code, OpenShellError
from tests.support.command_line import CommandLine


def every_command(group: Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = [(path, group)]
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        found += every_command(command, (*path, name)) if isinstance(command, Group) else [((*path, name), command)]
    return found


COMMANDS = every_command(root)  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) or "openshell" for path, _ in COMMANDS])
async def test_help_has_an_example_of_this_command(
    bare: CommandLine, path: tuple[str, ...], command: click.Command
) -> None:
    shown = await bare(*path, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: {' '.join(('openshell', *path))}")
    examples = shown.out.partition("Example:\n")[2]
    assert f"openshell {' '.join(path)}".rstrip() in examples
    assert max(map(len, shown.out.splitlines())) <= 100
    assert isinstance(command, (Command, Group))


@pytest.mark.parametrize("path", [path for path, command in COMMANDS if isinstance(command, Group)], ids=" ".join)
@pytest.mark.parametrize("columns", [80, 40])
async def test_lists_of_commands_are_whole_at_every_width(
    bare: CommandLine, path: tuple[str, ...], columns: int
) -> None:
    shown = (await bare(*path, "--help", environ={"COLUMNS": str(columns)})).out
    listed = shown.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert listed
    assert "..." not in "".join(listed)
    assert max(map(len, listed)) <= columns
    if columns == 80:
        assert all(line[2] != " " for line in listed), "a command takes two lines"


def test_the_issue_s_commands_are_all_there() -> None:
    names = {" ".join(path) for path, _ in COMMANDS}
    wanted = """gateway start|gateway stop|gateway status|gateway add|gateway list|gateway select|gateway remove|gateway info
    |status|sandbox create|sandbox list|sandbox get|sandbox delete|sandbox start|sandbox stop|sandbox logs|sandbox watch
    |sandbox exec|sandbox connect|sandbox ssh-config|ssh-proxy|token create|token list|token revoke|whoami
    |forward service|service forward|completion|bench"""
    assert {" ".join(name.split()) for name in wanted.split("|")} <= names


def test_what_lists_or_shows_has_an_output_option() -> None:
    plain = {"gateway stop", "gateway add", "gateway select", "gateway remove", "host remove",
             "host prune", "sandbox delete", "sandbox exec",
             "sandbox connect", "sandbox ssh-config", "ssh-proxy", "completion", "complete", "bench"}  # fmt: skip
    for path, command in COMMANDS:
        if not isinstance(command, Group) and " ".join(path) not in plain:
            assert any("--output" in parameter.opts for parameter in command.params), path


@pytest.mark.parametrize(("short", "long"), [("sb", "sandbox"), ("gw", "gateway"), ("fwd", "forward")])
async def test_short_names(bare: CommandLine, short: str, long: str) -> None:
    assert (await bare(short, "--help")).out == (await bare(long, "--help")).out


async def test_service_forward_is_forward_service(bare: CommandLine) -> None:
    one, two = await bare("service", "forward", "--help"), await bare("forward", "service", "--help")
    assert one.out.splitlines()[1:] == two.out.splitlines()[1:]


async def test_version(bare: CommandLine) -> None:
    assert (await bare("--version")).out.startswith("openshell 0.")


@pytest.mark.parametrize(
    "argv", [["bogus"], ["sandbox", "bogus"], ["--bogus"], ["sandbox", "list", "--output", "xml"], ["ssh-proxy"]]
)
async def test_wrong_use(bare: CommandLine, argv: list[str]) -> None:
    done = await bare(*argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert "--help')" in done.err


async def test_a_group_alone_shows_its_help(bare: CommandLine) -> None:
    for argv in ([], ["sandbox"]):
        done = await bare(*argv)
        assert done.code == 2
        assert "Commands:" in done.err


@pytest.mark.parametrize("code", list(Code))
async def test_every_code_has_its_status_and_no_control_characters(bare: CommandLine, code: Code) -> None:
    async def work() -> int:
        raise OpenShellError(code, "it \x1b[31mfailed\r\n", hint="do \x9bthis")

    context = bare.context(None, None, None)
    said: list[str] = []
    context.err = said.append  # type: ignore[method-assign]
    assert await finish(work(), context) == EXIT_CODES[code]
    assert said == ["error: it  [31mfailed   (do  this)"]


async def test_what_nobody_foresaw_is_one_line_too(bare: CommandLine) -> None:
    context = bare.context(None, None, None)
    context.environ = {}
    said: list[str] = []
    context.err = said.append  # type: ignore[method-assign]
    assert report(ZeroDivisionError("by zero"), context) == 1
    assert said.pop().startswith("error: internal: ZeroDivisionError: by zero")
    context.environ = {"OPENSHELL_TRACEBACK": "1"}
    with pytest.raises(ZeroDivisionError):
        report(ZeroDivisionError("by zero"), context)
    assert report(BrokenPipeError(), context) == 141
    assert report(KeyboardInterrupt(), context) == 130
    assert report(OSError(28, "No space left on device"), context) == 1
    assert said.pop() == "error: [Errno 28] No space left on device"
    with pytest.raises(asyncio.CancelledError):
        report(asyncio.CancelledError(), context)


async def test_text_that_is_not_utf_8(line: CommandLine) -> None:
    done = await line("token", "create", "\udcff")
    assert done.code == 2
    assert "not valid UTF-8" in done.err


async def test_parse_answers_what_needs_no_event_loop(bare: CommandLine) -> None:
    context = bare.context(None, None, None)
    assert parse(["bogus"], context) == 2
    assert await run(["bogus"], context) == 2
