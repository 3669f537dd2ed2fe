"""The way to the gateway: one of its addresses, over TLS with the host's certificate, by proxy where there is one.

The address that answered is tried first the next time, and is what supervisors are told to dial.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.enrol.invitation import Address
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import read_small
from pyopenshell.host.state import HostState
from pyopenshell.streams.grpc_client import Channel, Endpoint
from pyopenshell.streams.proxies import FindProxy
from pyopenshell.streams.segments import Segments
from pyopenshell.streams.tls import client_context


class Way:
    """Connects to the gateway that `state` is enrolled at."""

    def __init__(self, state: HostState, addresses: Sequence[str], find_proxy: FindProxy) -> None:
        self._state = state
        self._addresses = [Address.parse(address) for address in addresses]
        self._find_proxy = find_proxy
        self._paths = {address: Segments() for address in self._addresses}

    @property
    def address(self) -> Address:
        """Where the gateway answered the last time."""
        return self._addresses[0]

    def for_supervisors(self) -> RemoteGateway:
        """The same way, for a supervisor. Raises PRECONDITION where the CA's certificate cannot be read."""
        at = self.address
        proxy = self._find_proxy(at.host, at.port)
        ca = read_small(self._state.credential("ca.crt")) or b""
        return RemoteGateway(at.host, at.port, ca.decode("ascii", "replace"), "" if proxy is None else proxy.url)

    async def connect(self) -> Channel:
        """A new connection. Raises UNAVAILABLE, UNAUTHENTICATED for a gateway that is not trusted, PRECONDITION."""
        ca, certificate, key = map(self._state.credential, ("ca.crt", "tls.crt", "tls.key"))
        context = client_context(ca, certificate, key)  # read anew: the certificate may have been renewed
        failed: list[OpenShellError] = []
        for address in list(self._addresses):
            try:
                proxy = self._find_proxy(address.host, address.port)
                channel = await Channel.connect(
                    Endpoint(address.host, address.port), context, proxy=proxy, path=self._paths[address]
                )
            except OpenShellError as error:
                failed.append(error)
                continue
            self._addresses.remove(address)
            self._addresses.insert(0, address)
            return channel
        raise next((error for error in failed if error.code is not Code.UNAVAILABLE), failed[0])
