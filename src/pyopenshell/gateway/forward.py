"""ForwardTcp: init, admission, relay, splice. The walk of a byte goes through here (design, rooms 3 and 4).

The gateway never looks into the bytes, but for one frame: the START of an exec stream, which it reads for the audit and
passes on as it came. A relay that is cut from outside (its token revoked or expired, its sandbox stopped) ends both legs at
once, and the near one is told why.
"""

from __future__ import annotations

import asyncio

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.lines import Line, line_error
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.relaying import FIRST_MESSAGE_TIMEOUT, Relaying, first_message
from pyopenshell.http2.grpc_messages import encode_prefix
from pyopenshell.model import ExecSpec, ExecTarget, Outcome, SshTarget
from pyopenshell.relay.outcomes import Cause
from pyopenshell.streams.contract import Buffer
from pyopenshell.streams.grpc_server import Call
from pyopenshell.streams.raw_leg import FEATURES, RawLeg
from pyopenshell.streams.splice import splice
from pyopenshell.wire import convert
from pyopenshell.wire.exec_frames import Decoder, Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import status_of_error

_CAUSES = {
    Outcome.COMPLETED: Cause.BOTH_ENDED,
    Outcome.BROKEN_NEAR: Cause.NEAR_LOST,
    Outcome.BROKEN_FAR: Cause.FAR_LOST,
}


class ForwardService:
    """Serves ForwardTcp."""

    def __init__(self, relaying: Relaying, registry: Registry, *, init_timeout: float = FIRST_MESSAGE_TIMEOUT) -> None:
        self._relaying = relaying
        self._registry = registry
        self._init_timeout = init_timeout

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [Rpc(Action.FORWARD_TCP, raw=self.forward)]

    async def forward(self, caller: Caller) -> None:
        """One stream into a sandbox, to its end."""
        call = caller.call
        frame = call.parse(pb.TcpForwardFrame, await first_message(call, "the init message", self._init_timeout))
        if frame.WhichOneof("payload") != "init":
            raise OpenShellError(Code.INVALID, "the first message of the stream is not init")
        init = frame.init
        target = convert.target_of(init)
        if target is None:
            raise OpenShellError(Code.INVALID, "init names no target", hint="set ssh or tcp")
        workspace = convert.workspace_of(init.workspace)
        token = None if init.by_identity else init.authorization_token
        opening = self._relaying.open(caller, init.sandbox, workspace, target, token)
        async with opening as line:
            first: list[Buffer] = []
            if isinstance(target, ExecTarget):
                spec, first = await _exec_start(call, self._init_timeout)
                self._relaying.note_exec(line, spec)
            far = await self._relaying.far_end(line)
            call.admit()
            near_features = convert.common_features(init.features, FEATURES)
            near = RawLeg(call, features=near_features, near=True)
            far_leg = RawLeg(far.call, features=convert.common_features(far.features, FEATURES), near=False)
            if init.features:
                common = sorted(convert.common_features(init.features, FEATURES, far.features))
                answer = pb.TcpForwardInit(features=common, relay_id=line.channel_id)
                if isinstance(target, SshTarget):
                    answer.host_key = self._registry.resolve(line.relay.request.sandbox_id).host_key
                await near.write_message(_framed(pb.TcpForwardFrame(init=answer).SerializeToString()))
            await self._run(line, near, far_leg, first)

    async def _run(self, line: Line, near: RawLeg, far: RawLeg, first: list[Buffer]) -> None:
        async def both_ways() -> Outcome:
            for message in first:
                await far.write(encode_prefix(len(message)), message)
                line.tally.far += len(message)
            return await splice(near, far, line.tally)

        splicing = asyncio.ensure_future(both_ways())
        try:
            await asyncio.wait((splicing, line.over), return_when=asyncio.FIRST_COMPLETED)
            if line.over.done() and not splicing.done():
                await _tell(near.call, line_error(line, line.over.result()))
                await _tell(far.call, line_error(line, line.over.result()))
        finally:
            splicing.cancel()
            await asyncio.gather(splicing, return_exceptions=True)
        if not splicing.cancelled():
            self._relaying.finish(line, _CAUSES[splicing.result()], line.tally.reason)


async def _tell(call: Call, error: OpenShellError) -> None:
    """End a call from outside: with the reason where the peer can get it at once, by a reset where it reads nothing."""
    if call.stream.unsent or call.stream.broken is not None:
        call.abort(error.message)
    else:
        await call.finish(*status_of_error(error))


async def _exec_start(call: Call, timeout: float) -> tuple[ExecSpec, list[Buffer]]:
    """The START frame of an exec stream, and the messages it came in. Raises INVALID for anything else, DEADLINE."""
    decoder = Decoder()
    messages: list[Buffer] = []
    try:
        async with asyncio.timeout(timeout):
            while True:
                message = await call.read()
                frame = None if message is None else call.parse(pb.TcpForwardFrame, message)
                if message is None or frame is None or frame.WhichOneof("payload") not in ("data", None):
                    raise OpenShellError(Code.INVALID, "an exec stream has to begin with its START frame")
                messages.append(message)
                for found in decoder.feed(frame.data):
                    if found.kind is not Kind.START:
                        raise OpenShellError(Code.INVALID, "an exec stream has to begin with its START frame")
                    return convert.exec_spec(call.parse(pb.ExecStart, found.payload)), messages
    except TimeoutError:
        raise OpenShellError(Code.DEADLINE, f"the START frame did not come within {timeout:.0f} s") from None


def _framed(message: bytes) -> bytes:
    return encode_prefix(len(message)) + message
