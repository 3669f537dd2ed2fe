"""The real OpenSSH programs against a sandbox, through the configuration that `sandbox ssh-config` prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.world import World


@dataclass(frozen=True)
class OpenSsh:
    """The programs with their options, and the sandbox's alias."""

    config: Path
    alias: str

    @classmethod
    def of(cls, world: World, sandbox: str, folder: Path) -> OpenSsh:
        """Write the configuration below `folder`."""
        text = world.run("sandbox", "ssh-config", sandbox).ok().text
        config = folder / f"{sandbox}.config"
        config.write_text(text)
        return cls(config, next(line.split()[1] for line in text.splitlines() if line.startswith("Host ")))

    def ssh(self, *command: str, tty: bool = False) -> list[str]:
        """`ssh` with a command for the login shell, or with none."""
        return ["ssh", *self._options, *(["-tt"] if tty else []), self.alias, *command]

    def scp(self, *paths: str) -> list[str]:
        """`scp`, over SFTP; `{}` in a path is the alias."""
        return ["scp", "-q", *self._options, *(path.format(self.alias) for path in paths)]

    def sftp(self) -> list[str]:
        """`sftp` that reads commands from its standard input."""
        return ["sftp", "-q", *self._options, "-b", "-", self.alias]

    @property
    def _options(self) -> list[str]:
        return ["-F", str(self.config), "-o", "BatchMode=yes"]
