"""The test service: gRPC's own interoperability service on our engine, and a few words that the checks say to it.

`grpc.testing.TestService` behaves as grpc/doc/interop-test-descriptions.md says. Beyond that, metadata of a request asks:

| key of the request         | then                                                                                     |
|----------------------------|------------------------------------------------------------------------------------------|
| `echo-...`                 | comes back in the headers and in the trailers                                            |
| `conformance-watch`: NAME  | how this call's handler ended is kept as NAME: `ok`, `failed` or `cancelled`             |
| `conformance-begun`: NAME  | the answer waits until the handler of the call that is watched as NAME runs              |
| `conformance-outcome`: NAME| the answer waits until it ended, and has how as `conformance-outcome` in its trailers    |
| `conformance-status`: CODE | that is the answer, alone, before any message; its text is STATUS_TEXT                   |
| `conformance-details-bin`  | are the details of that status (a serialized google.rpc.Status)                          |
| `conformance-end`: WORD    | at the first message: `hold` waits for ever, `reset` and `abort` end the call early      |

Trailers always have `conformance-peer`, the caller's address (so that a check sees a connection that was made anew), and
`conformance-deadline-ms` where the call has a deadline.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

from conformance.grpc.testing import empty_pb2, messages_pb2, test_pb2
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_server import Call, Handler
from pyopenshell.wire.status import GrpcStatus

NAME = test_pb2.DESCRIPTOR.services_by_name["TestService"].full_name
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
MICROSECONDS = 1e6
#: Needs percent-encoding in every way: a percent sign, a line break, what is not ASCII, spaces at both ends.
STATUS_TEXT = " as asked: 100 %\n\u263a "

Items = list[tuple[str, str | bytes]]
Method = Callable[[Call], Coroutine[Any, Any, None]]


def payload(size: int) -> messages_pb2.Payload:
    return messages_pb2.Payload(body=bytes(size))


class TestService:
    """One service; its memory of outcomes is shared by every connection."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._outcomes: defaultdict[str, asyncio.Future[str]] = defaultdict(loop.create_future)

    def handlers(self) -> dict[str, Handler]:
        methods: dict[str, Method] = {
            "EmptyCall": self.empty,
            "UnaryCall": self.unary,
            "StreamingOutputCall": self.streaming_output,
            "StreamingInputCall": self.streaming_input,
            "FullDuplexCall": self.full_duplex,
            "HalfDuplexCall": self.half_duplex,
        }
        return {f"/{NAME}/{name}": self._watched(method) for name, method in methods.items()}

    def _watched(self, method: Method) -> Handler:
        async def handle(call: Call) -> None:
            name = call.metadata.get("conformance-watch")
            outcome = "failed"
            if isinstance(name, str):
                self._begun[name].set()
            try:
                call.admit()
                if not await self._status_asked(call):
                    headers = self.headers(call)
                    if headers:
                        call.start(headers)
                    await method(call)
                outcome = "ok"
                await call.finish(trailers=await self.trailers(call))
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            finally:
                if isinstance(name, str):
                    self._outcomes[name].set_result(outcome)

        return handle

    # -- metadata ---------------------------------------------------------------------------------------------------

    def headers(self, call: Call) -> Items:
        """What goes before the messages."""
        return [(key, value) for key, value in call.metadata.items() if key.startswith("echo-") or key == INITIAL]

    async def trailers(self, call: Call) -> Items:
        """What goes with the status."""
        items = [(key, value) for key, value in call.metadata.items() if key.startswith("echo-") or key == TRAILING]
        items.append(("conformance-peer", call.peer.address))
        if call.deadline is not None:
            left = call.deadline - asyncio.get_running_loop().time()
            items.append(("conformance-deadline-ms", str(round(left * 1000))))
        name = call.metadata.get("conformance-begun")
        if isinstance(name, str):
            await self._begun[name].wait()
        name = call.metadata.get("conformance-outcome")
        if isinstance(name, str):
            items.append(("conformance-outcome", await self._outcomes[name]))
        return items

    async def _obey(self, call: Call) -> None:
        """What `conformance-end` asks."""
        match call.metadata.get("conformance-end"):
            case "hold":
                await asyncio.get_running_loop().create_future()
            case "reset":
                call.stream.reset(ErrorCode.CANCEL)
                raise StreamClosed
            case "abort":
                call.abort("as asked")
                raise StreamClosed

    async def _status_asked(self, call: Call) -> bool:
        """`conformance-status`: whether that was the answer."""
        code = call.metadata.get("conformance-status")
        if not isinstance(code, str):
            return False
        details = call.metadata.get("conformance-details-bin", b"")
        assert isinstance(details, bytes)
        await call.finish(GrpcStatus(int(code)), STATUS_TEXT, await self.trailers(call), details)
        return True

    async def _status(self, call: Call, asked: messages_pb2.EchoStatus) -> bool:
        """End the call with the status that a message asks for, if it does."""
        if asked.code:
            await call.finish(GrpcStatus(asked.code), asked.message, await self.trailers(call))
        return bool(asked.code)

    # -- methods ----------------------------------------------------------------------------------------------------

    async def empty(self, call: Call) -> None:
        await call.receive(empty_pb2.Empty)
        await self._obey(call)
        await call.send(empty_pb2.Empty())

    async def unary(self, call: Call) -> None:
        request = await call.receive(messages_pb2.SimpleRequest)
        assert request is not None
        await self._obey(call)
        if not await self._status(call, request.response_status):
            await call.send(self.simple_response(request.response_size))

    def simple_response(self, size: int) -> messages_pb2.SimpleResponse:
        return messages_pb2.SimpleResponse(payload=payload(size))

    async def streaming_output(self, call: Call) -> None:
        request = await call.receive(messages_pb2.StreamingOutputCallRequest)
        assert request is not None
        await self._obey(call)
        await self._respond(call, request)

    async def streaming_input(self, call: Call) -> None:
        total = 0
        while (request := await call.receive(messages_pb2.StreamingInputCallRequest)) is not None:
            await self._obey(call)
            total += len(request.payload.body)
        await call.send(messages_pb2.StreamingInputCallResponse(aggregated_payload_size=total))

    async def full_duplex(self, call: Call) -> None:
        while (request := await call.receive(messages_pb2.StreamingOutputCallRequest)) is not None:
            if await self._status(call, request.response_status):
                return
            await self._obey(call)
            await self._respond(call, request)

    async def half_duplex(self, call: Call) -> None:
        requests = []
        while (request := await call.receive(messages_pb2.StreamingOutputCallRequest)) is not None:
            requests.append(request)
        for request in requests:
            await self._respond(call, request)

    async def _respond(self, call: Call, request: messages_pb2.StreamingOutputCallRequest) -> None:
        for asked in request.response_parameters:
            if asked.interval_us:
                await asyncio.sleep(asked.interval_us / MICROSECONDS)
            await call.send(messages_pb2.StreamingOutputCallResponse(payload=payload(asked.size)))
