"""The hosts of a gateway for tests of clients: what is said of them, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


@dataclass
class FakeHosts:
    """State that tests look at and change."""

    hosts: dict[str, ext.Host] = field(default_factory=dict)

    def add(self, name: str, *, connected: bool = True, **fields: object) -> ext.Host:
        host = ext.Host(name=name, connected=connected, **fields)
        host.since.FromSeconds(1_700_000_000)
        self.hosts[name] = host
        return host

    def rpcs(self):
        """RPC name -> request and function."""
        return {
            "ListHosts": (ext.ListHostsRequest, self._list),
            "DrainHost": (ext.DrainHostRequest, self._drain),
            "RemoveHost": (ext.RemoveHostRequest, self._remove),
            "PruneHost": (ext.PruneHostRequest, self._prune),
        }

    def _found(self, name: str) -> ext.Host:
        if name not in self.hosts:
            raise OpenShellError(Code.NOT_FOUND, f"host {name!r} does not exist")
        return self.hosts[name]

    def _list(self, _request):
        return ext.ListHostsResponse(hosts=self.hosts.values())

    def _drain(self, request):
        self._found(request.name).draining = not request.undo
        return ext.DrainHostResponse(host=self.hosts[request.name])

    def _remove(self, request):
        host = self._found(request.name)
        if host.sandboxes and not request.force:
            raise OpenShellError(Code.PRECONDITION, f"{host.sandboxes} sandboxes are placed on host {host.name!r}")
        del self.hosts[request.name]
        return ext.RemoveHostResponse(sandboxes=["web"] * host.sandboxes)

    def _prune(self, request):
        host = self._found(request.name)
        ids = list(host.unknown_sandbox_ids)
        del host.unknown_sandbox_ids[:]
        return ext.PruneHostResponse(sandbox_ids=ids)
