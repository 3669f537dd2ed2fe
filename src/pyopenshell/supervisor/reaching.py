"""How a supervisor reaches its gateway: a Unix socket of this machine, or TLS to another one.

With TLS it shows no certificate: its signed token says who it is, as on the socket. It trusts the one CA that it was told of
and checks the name. All that TLS and a name's lookup load (Python's modules, OpenSSL with its configuration) is loaded by
`connector`, while the process may still read its own installation; nothing but the resolver's files is opened later.
"""

from __future__ import annotations

from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.grpc_client import Channel, Endpoint
from pyopenshell.streams.proxies import Proxy
from pyopenshell.streams.segments import Segments
from pyopenshell.supervisor import lean
from pyopenshell.supervisor.birth import SupervisorBirth
from pyopenshell.supervisor.session import Connect


def connector(birth: SupervisorBirth) -> Connect:
    """What connects this supervisor to its gateway, each time anew. Raises PRECONDITION for a CA that is none."""
    if birth.remote is not None:
        return _over_tls(birth.remote)
    endpoint = Endpoint(unix=f"/proc/self/fd/{birth.gateway_directory}/{birth.gateway_socket}")

    async def connect() -> Channel:
        return await Channel.connect(endpoint)

    return connect


def _over_tls(remote: RemoteGateway) -> Connect:
    lean.let_tls_in()
    import concurrent.futures.thread  # noqa: F401 - asyncio looks names up in a thread
    import encodings.idna  # noqa: F401 - and every name is encoded with it

    from pyopenshell.streams.tls import authority_context

    context = authority_context(remote.ca)
    endpoint, path = Endpoint(remote.host, remote.port), Segments()
    proxy = Proxy.parse(remote.proxy) if remote.proxy else None

    async def connect() -> Channel:
        try:
            return await Channel.connect(endpoint, context, proxy=proxy, path=path)
        except OpenShellError as error:
            if error.code is not Code.UNAUTHENTICATED:
                raise
            # Nobody refused the token: the gateway's certificate is not good, and that may pass.
            raise OpenShellError(Code.UNAVAILABLE, error.message, hint=error.hint) from error

    return connect
