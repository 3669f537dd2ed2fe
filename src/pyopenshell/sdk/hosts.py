"""Sandbox hosts: machines that a gateway places sandboxes on. They dial the gateway; here they are looked at and managed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.connection import EXTENSION, Connection
from pyopenshell.sdk.types import moment
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that runs sandboxes for a gateway. `since` is when it was connected, or lost; None: it never came.

    `max_sandboxes` 0 is without a limit. `unknown` are the ids of sandboxes whose files are there and that the gateway does
    not know.
    """

    name: str
    connected: bool
    since: datetime | None = None
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    max_sandboxes: int = 0
    sandboxes: int = 0
    running: int = 0
    draining: bool = False
    joined: bool = False
    unknown: tuple[str, ...] = ()
    version: str = ""

    @classmethod
    def of(cls, message: ext.Host) -> Host:
        return cls(
            name=message.name,
            connected=message.connected,
            since=moment(message, "since"),
            address=message.address,
            labels=dict(message.labels),
            facts=dict(message.facts),
            max_sandboxes=message.max_sandboxes,
            sandboxes=message.sandboxes,
            running=message.running,
            draining=message.draining,
            joined=message.joined,
            unknown=tuple(message.unknown_sandbox_ids),
            version=message.version,
        )


class Hosts:
    """The hosts of one gateway. All raise what the gateway answers, NOT_FOUND for a host that it does not know."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> list[Host]:
        """All hosts, lost ones too."""
        answer = await self._connection.call(
            "ListHosts", ext.ListHostsRequest(), ext.ListHostsResponse, service=EXTENSION
        )
        return [Host.of(host) for host in answer.hosts]

    async def get(self, name: str) -> Host:
        """One host."""
        found = [host for host in await self.list() if host.name == name]
        if not found:
            raise OpenShellError(Code.NOT_FOUND, f"host {name[:80]!r} does not exist", hint="see 'openshell host list'")
        return found[0]

    async def drain(self, name: str, *, undo: bool = False) -> Host:
        """Place no more sandboxes on it (with `undo`: place them again); those that are there run on."""
        request = ext.DrainHostRequest(name=name, undo=undo)
        answer = await self._connection.call("DrainHost", request, ext.DrainHostResponse, service=EXTENSION)
        return Host.of(answer.host)

    async def remove(self, name: str, *, force: bool = False) -> tuple[str, ...]:
        """Forget a host and refuse its certificate; the names of the sandboxes whose records went with it.

        Raises PRECONDITION while sandboxes are placed on it, unless `force`: their files stay there.
        """
        request = ext.RemoveHostRequest(name=name, force=force)
        answer = await self._connection.call("RemoveHost", request, ext.RemoveHostResponse, service=EXTENSION)
        return tuple(answer.sandboxes)

    async def prune(self, name: str) -> tuple[str, ...]:
        """Remove the files of sandboxes that are there and that the gateway does not know; their ids."""
        answer = await self._connection.call(
            "PruneHost", ext.PruneHostRequest(name=name), ext.PruneHostResponse, service=EXTENSION
        )
        return tuple(answer.sandbox_ids)
