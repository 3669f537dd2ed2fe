"""Opening a relay: one ForwardTcp call, its `init`, and from then on a byte stream.

Nobody waits for an answer before sending; the gateway's first message says that the far side is connected, and which
channel id the relay has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyopenshell.errors import OpenShellError
from pyopenshell.model import DEFAULT_WORKSPACE, Target, check_name, is_id
from pyopenshell.sdk.connection import Connection
from pyopenshell.streams import FEATURES, DataLeg, StreamBroken
from pyopenshell.wire.convert import put_target
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import RemoteError


@dataclass(frozen=True, slots=True)
class Relay:
    """An open relay: its stream, and what the gateway said about it."""

    leg: DataLeg

    async def connected(self) -> str:
        """Wait until the far side is connected; the channel id. To be called before the first read, or not at all.

        Raises StreamBroken with the reason where the relay was refused.
        """
        await self.leg.init()
        return self.channel_id

    def when_connected(self, tell: Callable[[str], None]) -> None:
        """Have `tell` told the sandbox's SSH host key (a public key line, empty where the target has none) once the far side
        is connected, before a byte of it is read. What `tell` raises breaks the relay.
        """

        def connected(init: bytes) -> None:
            try:
                tell(pb.TcpForwardInit.FromString(init).host_key)
            except OpenShellError as error:
                self.leg.abort(error.message)
                raise StreamBroken(error.message, code=error.code) from error

        self.leg.on_init = connected

    @property
    def channel_id(self) -> str:
        """The relay's name at the gateway, once something was read; empty from a gateway that does not tell."""
        greeting = self.leg.greeting
        return pb.TcpForwardInit.FromString(greeting).relay_id if greeting is not None else ""

    @property
    def refusal(self) -> RemoteError | None:
        """The status that the gateway ended the call with, where it was not OK; None while the call goes on."""
        call = self.leg.call
        return call.error if call.stream.headers and call.stream.ended else None


def check_sandbox(sandbox: str) -> str:
    """Return `sandbox` when it is a name or an id; raise INVALID otherwise."""
    return sandbox if is_id(sandbox) else check_name(sandbox, "sandbox name")


async def open_relay(connection: Connection, sandbox: str, target: Target, token: str | None = "") -> Relay:
    """Open a relay to `target` of `sandbox`; where `token` is None, `ssh` and `tcp` open by who we are alone.

    Raises UNAVAILABLE; a refusal shows at the first read.
    """
    call = await connection.open("ForwardTcp")
    try:
        await call.send(pb.TcpForwardFrame(init=init_message(sandbox, target, token)))
    except BaseException:
        call.cancel()
        raise
    return Relay(DataLeg(call))


def init_message(sandbox: str, target: Target, token: str | None) -> pb.TcpForwardInit:
    """The first message of a ForwardTcp call."""
    init = pb.TcpForwardInit(sandbox=sandbox, workspace=DEFAULT_WORKSPACE, features=list(FEATURES))
    if token is None:
        init.by_identity = True
    else:
        init.authorization_token = token
    put_target(init, target)
    return init
