"""Test services with one fault each: the runner must notice every one, or its checks prove nothing (`--self-test`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conformance.grpc.testing import messages_pb2
from conformance.service import Items, TestService
from pyopenshell.streams import refusals
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_server import Call


class ForgetsTrailers(TestService):
    async def trailers(self, call: Call) -> Items:  # noqa: ARG002
        return []


class ForgetsHeaders(TestService):
    def headers(self, call: Call) -> Items:  # noqa: ARG002
        return []


class ForgetsTheStatus(TestService):
    async def empty(self, call: Call) -> None:
        await super().empty(call)
        await call.stream.end()  # END_STREAM, and no trailers
        raise StreamClosed


class LosesAByte(TestService):
    def simple_response(self, size: int) -> messages_pb2.SimpleResponse:
        return super().simple_response(max(0, size - 1))


class HoldsOn(TestService):
    """Its handlers do not hear that their caller is gone."""

    async def _obey(self, call: Call) -> None:
        try:
            await super()._obey(call)
        except asyncio.CancelledError:
            pass


class AnswersNoContent(TestService):
    """Takes away what h2spec needs to see windows at work: it skips those cases, and a skipped case is no passed one."""

    def __init__(self) -> None:
        super().__init__()
        refusals._WORDS = b""


BROKEN: dict[str, Callable[[], TestService]] = {
    kind.__name__: kind
    for kind in (ForgetsTrailers, ForgetsHeaders, ForgetsTheStatus, LosesAByte, HoldsOn, AnswersNoContent)
}
