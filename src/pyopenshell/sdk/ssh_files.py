"""The OpenSSH side of an installation: one key pair, one managed known_hosts, and the block for ~/.ssh/config.

The private key never leaves this machine: a sandbox's SSH server is told the public key with each connection. A sandbox's
host key is learnt from the gateway over an authenticated channel, so `StrictHostKeyChecking yes` holds from the first
connection: the line is in place before the first byte of the connection is handed over. Lines are named by sandbox and
gateway (`NAME.GATEWAY.openshell`), and a sandbox made anew under an old name replaces the old line.

Everything that goes into the block is checked or quoted, because ssh_config(5) splits words, expands `%` and `${}` and
hands ProxyCommand to a shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import locked, read_small, write_private
from pyopenshell.model import check_name
from pyopenshell.sdk.paths import Paths

SSH_USER = "sandbox"
SERVER_ALIVE_INTERVAL = 15  # seconds; a dead link is told within a minute (ssh_config(5), three misses)
HOST_KEY_TYPES = frozenset({"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "ssh-rsa"})
_CARRIED = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")


@dataclass(frozen=True, slots=True)
class SshFiles:
    """Where the three files are; all under directories of mode 0700."""

    private_key: Path
    public_key: Path
    known_hosts: Path

    @classmethod
    def of(cls, paths: Paths) -> SshFiles:
        directory = paths.config / "ssh"
        return cls(directory / "id_ed25519", directory / "id_ed25519.pub", paths.state / "ssh" / "known_hosts")

    def ensure_key(self) -> str:
        """Return the public key line, making the pair (Ed25519, RFC 8709) where there is none.

        Two commands that both find none take turns, so both speak of the same pair.
        """
        found = read_small(self.public_key)
        if found and self.private_key.exists():
            return found.decode().strip()
        with locked(self.private_key.with_name(".lock")):
            return self._make_key()

    def _make_key(self) -> str:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        existing = read_small(self.private_key)
        if existing is None:
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
            write_private(self.private_key, pem)
        else:
            try:
                loaded = serialization.load_ssh_private_key(existing, None)
            except (ValueError, TypeError) as error:
                raise OpenShellError(
                    Code.PRECONDITION,
                    f"{self.private_key} is not a private key",
                    hint="remove it to have a new one made",
                ) from error
            if not isinstance(loaded, Ed25519PrivateKey):
                raise OpenShellError(
                    Code.PRECONDITION,
                    f"{self.private_key} is not an Ed25519 key",
                    hint="remove it to have a new one made",
                )
            key = loaded
        line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        text = line.decode() + " openshell"
        write_private(self.public_key, text.encode() + b"\n")
        return text

    def trust(self, alias: str, host_key: str) -> None:
        """Make `host_key` (an OpenSSH public key line) the only key known for `alias`. Raises BROKEN for no such line."""
        words = host_key.split()
        if len(words) < 2 or words[0] not in HOST_KEY_TYPES or not words[1].isascii():
            raise OpenShellError(Code.BROKEN, "the gateway sent no usable SSH host key for this sandbox")
        line = f"{alias} {words[0]} {words[1]}\n"
        with locked(self.known_hosts.with_name(".known_hosts.lock")):
            before = (read_small(self.known_hosts) or b"").decode("utf-8", "replace")
            kept = "".join(old for old in before.splitlines(keepends=True) if old.split(" ", 1)[0] != alias)
            if before != kept + line:
                write_private(self.known_hosts, (kept + line).encode())


def host_alias(sandbox: str, gateway: str) -> str:
    """The name under which the sandbox's host key is known. Raises INVALID for names that could carry anything else."""
    return f"{check_name(sandbox, 'sandbox name')}.{check_name(gateway, 'gateway name')}.openshell"


def proxy_command(program: Sequence[str], environ: Mapping[str, str], sandbox: str, gateway: str) -> str:
    """The ProxyCommand value: `exec`ed by a shell, after `%` tokens were expanded (ssh_config(5), TOKENS).

    XDG variables of the caller are written down, so that an editor started elsewhere finds the same installation.
    """
    carried = [f"{name}={environ[name]}" for name in _CARRIED if environ.get(name)]
    words = [*(["env", *carried] if carried else []), *program]
    words += ["ssh-proxy", "--gateway", check_name(gateway, "gateway name"), "--", check_name(sandbox, "sandbox name")]
    for word in words:
        if not word.isprintable():
            raise OpenShellError(Code.INVALID, f"{word[:80]!r} cannot be written into an ssh configuration")
    return shlex.join(words).replace("%", "%%")


def config_block(
    files: SshFiles, program: Sequence[str], environ: Mapping[str, str], sandbox: str, gateway: str
) -> str:
    """The text for ~/.ssh/config, for `ssh NAME.openshell`. Raises INVALID for paths that ssh cannot hold."""
    alias = host_alias(sandbox, gateway)
    return (
        f"Host {sandbox}.openshell\n"
        f"  HostName {alias}\n"
        f"  User {SSH_USER}\n"
        f"  ProxyCommand {proxy_command(program, environ, sandbox, gateway)}\n"
        f"  IdentityFile {_quoted(files.private_key)}\n"
        f"  IdentitiesOnly yes\n"
        f"  HostKeyAlias {alias}\n"
        f"  UserKnownHostsFile {_quoted(files.known_hosts)}\n"
        f"  GlobalKnownHostsFile /dev/null\n"
        f"  StrictHostKeyChecking yes\n"
        f"  UpdateHostKeys no\n"
        f"  ServerAliveInterval {SERVER_ALIVE_INTERVAL}\n"
    )


def _quoted(path: Path) -> str:
    text = str(path)
    if not text.isprintable() or '"' in text or "\\" in text or "${" in text:
        raise OpenShellError(Code.INVALID, f"path {text[:120]!r} cannot be written into an ssh configuration")
    return '"' + text.replace("%", "%%") + '"'
