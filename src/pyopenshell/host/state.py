"""What a host keeps: where it is enrolled, its certificate, its sandboxes' files; and that one agent alone serves it.

$XDG_STATE_HOME/openshell/host/   0700
    host.json                     written last and removed first: with it the host is enrolled, without it it is not
    mtls/ca.crt tls.crt tls.key   0600
    sandboxes/ID/                 of the local driver (drivers/files.py)
    lock                          a record lock of the agent that serves: it names its process and ends with it
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pyopenshell.drivers import presence
from pyopenshell.enrol.dialogue import Enrolled
from pyopenshell.enrol.invitation import Address
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import private_directory, read_small, write_private
from pyopenshell.model import check_name, is_id

CREDENTIALS = ("ca.crt", "tls.crt", "tls.key")


@dataclass(frozen=True, slots=True)
class HostFile:
    """host.json: `addresses` of the gateway as HOST:PORT, the one that answered at enrolment first; `renew_after` in seconds
    since the epoch; `sandbox` is the id of the one that `join` made, "" where it made none.
    """

    name: str
    gateway: str
    addresses: tuple[str, ...]
    renew_after: float
    sandbox: str = ""
    sandbox_name: str = ""


class HostState:
    """The directory above, below `directory`. Nothing exists until something is put into it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = -1

    @property
    def sandboxes(self) -> Path:
        return self.directory / "sandboxes"

    def credential(self, name: str) -> Path:
        """The path of one of CREDENTIALS."""
        return self.directory / "mtls" / name

    def load(self) -> HostFile | None:
        """What is enrolled, None where nothing is. Raises PRECONDITION for a file that cannot be used."""
        data = read_small(self.directory / "host.json")
        if data is None:
            return None
        try:
            raw = json.loads(data)
            found = HostFile(**{**raw, "addresses": tuple(raw["addresses"])})
            check_name(found.name)
            for address in found.addresses:
                Address.parse(address)
            if not found.addresses:
                raise ValueError("no address")
            return replace(found, renew_after=float(found.renew_after))
        except (ValueError, TypeError, KeyError, AttributeError, OpenShellError):
            raise OpenShellError(
                Code.PRECONDITION,
                f"{self.directory / 'host.json'} cannot be read",
                hint="'openshell-supervisor leave --force' forgets it; then take a new invitation",
            ) from None

    def enrol(self, enrolled: Enrolled, addresses: Sequence[Address]) -> HostFile:
        """Keep what an invitation made. Raises PRECONDITION, EXHAUSTED."""
        for name, content in enrolled.credentials.items():
            write_private(self.credential(name), content, durable=True)
        ordered = [enrolled.address, *(each for each in addresses if each != enrolled.address)]
        made = HostFile(enrolled.name, enrolled.gateway, tuple(map(str, ordered)), enrolled.validity.renew_after)
        self.save(made)
        return made

    def save(self, host: HostFile) -> None:
        """Write host.json. Raises PRECONDITION, EXHAUSTED."""
        write_private(self.directory / "host.json", json.dumps(asdict(host), indent=2).encode(), durable=True)

    def forget(self) -> None:
        """Remove what `enrol` wrote; sandboxes' files stay. Raises OSError."""
        (self.directory / "host.json").unlink(missing_ok=True)
        for name in CREDENTIALS:
            self.credential(name).unlink(missing_ok=True)

    def sandbox_ids(self) -> list[str]:
        """Whose files are here, sorted."""
        try:
            return sorted(entry.name for entry in self.sandboxes.iterdir() if is_id(entry.name))
        except OSError:
            return []

    def running(self) -> list[str]:
        """Which of them have a living init."""
        found = []
        for sandbox_id in self.sandbox_ids():
            with suppress(OSError):
                held = presence.find(self.sandboxes / sandbox_id / "run" / "init.lock")
                if held is not None:
                    held.release()
                    found.append(sandbox_id)
        return found

    def served_by(self) -> int:
        """The pid of the agent that serves, 0 where none does. Not to be asked by the one that holds the lock."""
        with suppress(OSError):
            held = presence.find(self.directory / "lock")
            if held is not None:
                held.release()
                return held.pid
        return 0

    def hold(self) -> None:
        """Be the one who serves, until this process ends. Raises CONFLICT that names the other, PRECONDITION."""
        private_directory(self.directory)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._lock = os.open(self.directory / "lock", flags, 0o600)
            presence.hold(self._lock)
        except BlockingIOError:
            self.let_go()
            raise OpenShellError(
                Code.CONFLICT,
                f"this host is served already, process {self.served_by() or 'unknown'}",
                hint="end that one first, or give this one another XDG_STATE_HOME",
            ) from None
        except OSError as error:
            raise OpenShellError(
                Code.PRECONDITION, f"{self.directory / 'lock'} cannot be locked: {os.strerror(error.errno or 0)}"
            ) from None

    def let_go(self) -> None:
        """Let another serve. Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
