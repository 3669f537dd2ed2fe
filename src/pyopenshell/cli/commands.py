"""The frame of every command: help with an example, options that all share, subcommands that are imported when used.

Callbacks take the `Context` first; those that talk to a gateway are coroutine functions, and what they return travels
through click unchanged, so that `app.run` decides where it is awaited. Nothing is printed by click itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pyopenshell.cli.context import Context

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])
HELP_WIDTH_MIN, HELP_WIDTH_MAX = 40, 80  # columns; longer lines of prose are hard to read


class Command(click.Command):
    """A command with `example`. With `takes_command`, what follows the first `--` is the parameter `command`, verbatim."""

    def __init__(self, *args: Any, example: str = "", takes_command: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **_helped(kwargs))
        self.example = example
        self.takes_command = takes_command
        self.params.append(_help_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if self.takes_command:
            cut = args.index("--") if "--" in args else len(args)
            args, command = args[:cut], tuple(args[cut + 1 :])
            rest = super().parse_args(ctx, args)
            ctx.params["command"] = command
            return rest
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        _write_example(self.example, formatter)


class Group(click.Group):
    """A group whose subcommands are `module:attribute`, imported when they are named. `short` names are not listed."""

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str],
        short: Mapping[str, str] | None = None,
        example: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **_helped(kwargs))
        self.lazy = lazy
        self.short = short or {}
        self.example = example
        self.params.append(_help_option())

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        where = self.lazy.get(self.short.get(cmd_name, cmd_name))
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return (self.short.get(name, name) if name else name), command, rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        _write_example(self.example, formatter)


def output_option(function: F) -> F:
    """`-o table|json|yaml`; where it is not given the configuration says."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        callback=_configured_output,
        help="How the result is written. Default: table.",
    )(function)


def gateway_options(function: F) -> F:
    """`--gateway` and `--token-file`; what they say is kept in the context."""
    function = click.option(
        "--token-file",
        metavar="FILE",
        expose_value=False,
        callback=_keep("token_file"),
        help="File with an API token; OPENSHELL_TOKEN is the other way.",
    )(function)
    return click.option(
        "-g",
        "--gateway",
        metavar="NAME",
        expose_value=False,
        callback=_keep("gateway"),
        shell_complete=complete_gateway,
        help="Gateway to use instead of the selected one.",
    )(function)


def complete_gateway(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of gateways that begin so."""
    from click.shell_completion import CompletionItem

    from pyopenshell.sdk.gateways import Registry

    context = ctx.find_object(Context)
    names = Registry(context.paths).names() if context is not None else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def help_width(context: Context) -> int:
    """Columns that help may take."""
    return min(HELP_WIDTH_MAX, max(HELP_WIDTH_MIN, context.width or HELP_WIDTH_MAX))


def usage(ctx: click.Context) -> str:
    """The way to the help of the command that was meant, for error messages."""
    return f"see '{ctx.command_path} --help'"


def _configured_output(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    if value is None and isinstance(ctx.obj, Context) and not ctx.resilient_parsing:
        return ctx.obj.settings.output
    return value or "table"


def _keep(name: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None and isinstance(ctx.obj, Context):
            setattr(ctx.obj, name, value)

    return keep


def _helped(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Settings of a command: our own help option, and a line for lists, which click wraps where it would cut its own."""
    line = kwargs.get("short_help")
    if not line:
        sentence, stop, _ = str(kwargs.get("help") or "").strip().partition("\n")[0].partition(". ")
        line = sentence + stop.strip()
    return {**kwargs, "short_help": line, "add_help_option": False}


def _help_option() -> click.Option:
    def show(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.obj.out(ctx.get_help())
            ctx.exit()

    return click.Option(
        ["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show this and exit."
    )


def _write_example(example: str, formatter: click.HelpFormatter) -> None:
    if example:
        formatter.write_paragraph()
        formatter.write_heading("Example")
        for line in example.strip().splitlines():
            formatter.write(f"  {line}\n")


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """`K=V` values of a repeatable option as a mapping. Raises a usage error for one without `=`."""
    found = {}
    for value in values:
        key, equals, content = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{value[:80]!r} is not of the form KEY=VALUE", param_hint=option)
        found[key] = content
    return found
