"""What a process of a sandbox is given by default: environment, home, login shell. Plain text work, no name service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from pyopenshell.linux import passwd

USER = "sandbox"
HOME = "/sandbox"
FALLBACK_SHELL = "/bin/sh"
#: Debian's path for root (login.defs, ENV_SUPATH): a sandbox has one user, who finds everything.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_TERM = "xterm-256color"

#: Shells that are known to take `-lc 'exec "$@"' NAME ARGV...`; any other is not used to start a command.
LOGIN_SHELLS = frozenset({"sh", "dash", "bash", "zsh", "ksh", "busybox"})


def login_shell() -> str:
    """The shell that the view's passwd(5) names for the user `sandbox`, `/bin/sh` where it names none."""
    user = passwd.find_user(passwd.read_users(), USER)
    return user.shell if user is not None and user.shell.startswith("/") else FALLBACK_SHELL


def environment(
    sandbox: Mapping[str, str], command: Mapping[str, str], *, shell: str, terminal: bool
) -> dict[str, str]:
    """The environment of a command: the defaults, over them the sandbox's, over them the command's own."""
    merged = {
        "PATH": DEFAULT_PATH,
        "HOME": HOME,
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": shell,
        "LANG": "C.UTF-8",
    }
    if terminal:
        merged["TERM"] = DEFAULT_TERM
    merged.update(sandbox)
    merged.update(command)
    return merged


def login_argv(argv: Sequence[str], shell: str) -> list[str]:
    """`argv` started through `shell` as a login shell, so that its profile applies; as it is where the shell is
    unknown.

    The arguments stay apart: `"$@"` is not parsed again by the shell.
    """
    name = PurePosixPath(shell).name
    if name not in LOGIN_SHELLS:
        return list(argv)
    applet = ["sh"] if name == "busybox" else []
    return [shell, *applet, "-lc", 'exec "$@"', name, *argv]


def candidates(program: str, path: str) -> list[str]:
    """The paths to try for `program`, as execvp(3): itself where it has a slash, else one for each entry of PATH."""
    if "/" in program:
        return [program]
    return [f"{entry or '.'}/{program}" for entry in path.split(":")]
