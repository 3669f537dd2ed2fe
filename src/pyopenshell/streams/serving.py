"""One call on a server, from its headers to its status: the handler is found, runs, and its end is told to the peer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from pyopenshell.errors import OpenShellError
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.streams.contract import StreamBroken, StreamClosed
from pyopenshell.streams.grpc_server import Call, Handler
from pyopenshell.streams.refusals import compressed, is_grpc, not_grpc, unknown
from pyopenshell.wire.metadata import decode_metadata, decode_timeout
from pyopenshell.wire.status import GrpcStatus, status_of_error

log = logging.getLogger(__name__)


async def run(call: Call, handlers: Mapping[str, Handler], name: str) -> None:
    """Serve `call` in the task that this is. `name` is the server's, for log lines."""
    stream = call.stream
    task = asyncio.current_task()
    assert task is not None

    def over() -> None:
        if not call.detached:
            task.cancel()

    stream.on_over = over
    if stream.broken is not None:
        return
    try:
        async with asyncio.timeout(None) as timeout:
            handler = _accept(call, handlers)
            timeout.reschedule(call.deadline)
            await handler(call)
        status, message = GrpcStatus.OK, ""
    except OpenShellError as error:
        status, message = status_of_error(error)
    except StreamClosed:
        return  # the handler aborted its own call
    except asyncio.CancelledError:
        if stream.broken is None:
            stream.reset(ErrorCode.CANCEL)
            raise
        return  # the peer is gone: that is the ordinary end of a cancelled call
    except Exception as error:
        if isinstance(error, TimeoutError) and timeout.expired():
            status, message = GrpcStatus.DEADLINE_EXCEEDED, "the call's deadline passed"
        else:
            log.exception("%s: %s failed", name, call.path)
            status, message = GrpcStatus.INTERNAL, "internal error"
    try:
        await call.finish(status, message)
    except (StreamBroken, StreamClosed):
        return  # the peer went away before it could be told


def _accept(call: Call, handlers: Mapping[str, Handler]) -> Handler:
    """Read the request's headers into `call`; raise what the call is refused with."""
    fields: dict[bytes, bytes] = dict(call.stream.headers)
    call.path = fields.get(b":path", b"").decode("ascii", "replace")
    call.metadata = decode_metadata(call.stream.headers)
    if not is_grpc(fields):
        return not_grpc
    if b"grpc-timeout" in fields:
        call.deadline = asyncio.get_running_loop().time() + decode_timeout(fields[b"grpc-timeout"])
    if fields.get(b"grpc-encoding", b"identity") != b"identity":
        return compressed
    return handlers.get(call.path, unknown)
