"""Where an installation keeps its files: the three XDG directories, and nothing else.

`config` is what a person may edit or back up, `state` what the programs keep, `runtime` sockets that die with the login.
Every set-up with its own three variables is a world of its own. The environment is given, never read here, so a daemon can
act for a caller with another one. `files.py` makes each, mode 0700, the first time something is put into it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

APPLICATION = "openshell"


@dataclass(frozen=True, slots=True)
class Paths:
    """The three roots; each already ends in `openshell`. Nothing exists until something is put into it."""

    config: Path
    state: Path
    runtime: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Paths:
        """Read XDG_CONFIG_HOME, XDG_STATE_HOME and XDG_RUNTIME_DIR (XDG Base Directory Specification 0.8).

        A value that is empty or relative counts as unset, as the specification says. Without XDG_RUNTIME_DIR the sockets lie
        in `run` under the state directory. Raises PRECONDITION where not even a home directory is known.
        """
        config = _absolute(environ, "XDG_CONFIG_HOME") or _home(environ) / ".config"
        state = (_absolute(environ, "XDG_STATE_HOME") or _home(environ) / ".local" / "state") / APPLICATION
        runtime = _absolute(environ, "XDG_RUNTIME_DIR")
        return cls(
            config=config / APPLICATION,
            state=state,
            runtime=runtime / APPLICATION if runtime else state / "run",
        )

    @property
    def gateways(self) -> Path:
        """One directory for each registered gateway."""
        return self.config / "gateways"

    def gateway_state(self, name: str) -> Path:
        """State of a local gateway: database, keys, sandboxes, logs."""
        return self.state / "gateways" / name


def _absolute(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name, "")
    return Path(value) if value.startswith("/") else None


def _home(environ: Mapping[str, str]) -> Path:
    home = _absolute(environ, "HOME")
    if home is not None:
        return home
    import pwd  # only where HOME is unset

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError as error:
        raise OpenShellError(Code.PRECONDITION, "no home directory is known", hint="set HOME") from error
