"""The frame of commands: what follows `--`, shared options, pairs."""

from __future__ import annotations

import click
import pytest

from pyopenshell.cli.commands import Command, Group, gateway_options, pairs
from pyopenshell.cli.context import Context
from tests.support.command_line import CommandLine


@click.command(cls=Command, takes_command=True, example="x")
@click.argument("name", required=False)
@click.option("--flag", is_flag=True)
@gateway_options
@click.pass_obj
def taker(context: Context, name: str | None, flag: bool, command: tuple[str, ...]) -> None:
    context.environ = {"seen": repr((name, flag, command))}


@pytest.mark.parametrize(
    ("argv", "seen"),
    [
        ([], (None, False, ())),
        (["web"], ("web", False, ())),
        (["--", "ls", "--flag"], (None, False, ("ls", "--flag"))),
        (["web", "--flag", "--", "sh", "--", "x"], ("web", True, ("sh", "--", "x"))),
    ],
)
def test_what_follows_the_first_dashes_is_the_command(bare: CommandLine, argv: list[str], seen: object) -> None:
    context = bare.context(None, None, None)
    with taker.make_context("taker", list(argv), obj=context) as ctx:
        taker.invoke(ctx)
    assert context.environ == {"seen": repr(seen)}


def test_options_of_the_gateway_are_kept_and_the_last_one_counts(bare: CommandLine) -> None:
    context = bare.context(None, None, None, gateway="before")
    with taker.make_context("taker", ["--token-file", "f"], obj=context):
        assert (context.gateway, context.token_file) == ("before", "f")
    with taker.make_context("taker", ["-g", "after"], obj=context):
        assert context.gateway == "after"


def test_pairs() -> None:
    assert pairs(["a=b", "c=", "d=e=f"], "--env") == {"a": "b", "c": "", "d": "e=f"}
    for bad in ("a", "=b", ""):
        with pytest.raises(click.BadParameter):
            pairs([bad], "--env")


def test_a_group_knows_only_what_it_lists() -> None:
    group = Group("g", lazy={"taker": f"{__name__}:pairs"})
    context = click.Context(group)
    assert group.get_command(context, "nothing") is None
    assert group.list_commands(context) == ["taker"]
