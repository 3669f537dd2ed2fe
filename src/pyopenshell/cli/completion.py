"""`openshell completion SHELL`: the script that makes a shell ask us, and the hidden command that it asks.

Candidates come from click's knowledge of the commands. Names of sandboxes are asked of the gateway, for at most a second and
without a word when it does not answer: a person who presses Tab must not be made to wait. Where we know of nothing the shell
offers files, because much that is typed is one (--from, --token-file, arguments of a command).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from pyopenshell.cli.commands import Command
from pyopenshell.cli.context import Context
from pyopenshell.errors import OpenShellError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")
PATIENCE = 1.0  # seconds

BASH = """\
_openshell() {
    local IFS=$'\\n'
    COMPREPLY=($(openshell complete "$COMP_CWORD" -- "${COMP_WORDS[@]:1}" 2>/dev/null))
}
complete -o nosort -o default -F _openshell openshell 2>/dev/null || complete -o default -F _openshell openshell
"""

ZSH = """\
#compdef openshell
_openshell() {
    local -a found
    found=("${(@f)$(openshell complete "$((CURRENT - 1))" -- "${(@)words[2,-1]}" 2>/dev/null)}")
    if [[ -n $found ]]; then compadd -- $found; else _files; fi
}
if [[ $funcstack[1] == _openshell ]]; then _openshell "$@"; else compdef _openshell openshell; fi
"""

FISH = """\
function __openshell
    set -l words (commandline -opc) (commandline -ct)
    set -l found (openshell complete (math (count $words) - 1) -- $words[2..-1] 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path $words[-1]
    end
end
complete -c openshell -f -a '(__openshell)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@click.command(cls=Command, example="openshell completion bash > ~/.local/share/bash-completion/completions/openshell")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_obj
def completion(context: Context, shell: str) -> None:
    """Print the completion script for a shell."""
    context.out(SCRIPTS[shell].rstrip("\n"))


@click.command(cls=Command, hidden=True, example="openshell complete 1 -- sand")
@click.argument("position", type=int)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def complete(context: Context, position: int, words: tuple[str, ...]) -> None:
    """Print candidates for the word at POSITION (1 is the first after the program), one a line."""
    if not 1 <= position <= len(words) + 1:
        return
    before, at = list(words[: position - 1]), words[position - 1 : position]
    found = candidates(context, before, at[0] if at else "")
    if found:
        context.out("\n".join(found))


def candidates(context: Context, before: list[str], incomplete: str) -> list[str]:
    """What could stand where `incomplete` stands, after the words `before`."""
    from click.shell_completion import ShellComplete

    from pyopenshell.cli.app import PROGRAM, root

    asked = ShellComplete(root, {"obj": context}, PROGRAM, "")
    return [str(item.value) for item in asked.get_completions(before, incomplete)]


def complete_sandbox(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of sandboxes that begin so."""
    from click.shell_completion import CompletionItem

    context = ctx.find_object(Context)
    if context is None:
        return []
    try:
        names = asyncio.run(_names(context))
    except (OpenShellError, TimeoutError, OSError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


async def _names(context: Context) -> list[str]:
    from pyopenshell.cli.clients import client_of

    async with asyncio.timeout(PATIENCE), client_of(context) as client:
        return [one.name for one in await client.sandboxes.list()]
