"""One relay at the far end: dial the target first, answer, claim the stream, splice.

    RelayOpen ─ dial ┬─ failed: RelayOpenResult{error, failure} and nothing more
                     └─ RelayOpenResult{success} ─ RelayStream{init} ─ run what was dialled on it

The result and the claim go out one behind the other without a wait between them: the gateway takes the claim in either
order only after the result, and both travel on one connection. A relay that the gateway closes, or whose task is cancelled,
aborts what was dialled. How a command ended goes on the control stream too, for the audit; where that is lost, it is not
told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Outcome, Target
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.data_leg import DataLeg
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.streams.raw_leg import FEATURES
from pyopenshell.supervisor.dial import Dialled
from pyopenshell.supervisor.rest import Rest, give_back
from pyopenshell.wire.convert import target_of
from pyopenshell.wire.metadata import MetadataItems
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import status_of

RELAY_STREAM = "/openshell.v1.OpenShell/RelayStream"
CLAIM_TIMEOUT = 10.0  # seconds; the contract's deadline for the claim of a relay
RELAYS_MAX = 2048  # of one supervisor at once: the gateway's ceiling for one sandbox is 1,020

Dial = Callable[[Target], Awaitable[Dialled]]
Send = Callable[[pb.SupervisorMessage], Awaitable[None]]


class Relays:
    """The relays of one session's connection."""

    def __init__(
        self,
        channel: Channel,
        metadata: MetadataItems,
        dial: Dial,
        send: Send,
        give_back: Callable[[], None] = give_back,
    ) -> None:
        self._channel = channel
        self._metadata = metadata
        self._dial = dial
        self._send = send
        self._rest = Rest(asyncio.get_running_loop().call_later, lambda: bool(self._tasks), give_back)
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def open(self, message: pb.RelayOpen) -> None:
        """Take a RelayOpen; returns at once. A channel id that is open already is ignored (a repeated message)."""
        if message.channel_id in self._tasks:
            return
        task = asyncio.create_task(self._relay(message), name=f"relay {message.channel_id}")
        self._tasks[message.channel_id] = task
        task.add_done_callback(lambda _task: self._ended(message.channel_id))

    def _ended(self, channel_id: str) -> None:
        del self._tasks[channel_id]
        self._rest.ended()

    def close(self, channel_id: str) -> None:
        """The gateway gave a relay up: end it. One that is unknown has ended."""
        task = self._tasks.get(channel_id)
        if task is not None:
            task.cancel()

    @property
    def count(self) -> int:
        """Relays that live."""
        return len(self._tasks)

    async def aclose(self) -> None:
        """End every relay and wait until what they dialled is gone."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for telling in self._telling:
            telling.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _relay(self, message: pb.RelayOpen) -> Outcome:
        result = pb.RelayOpenResult(channel_id=message.channel_id)
        try:
            dialled = await self._dialled(message)
        except OpenShellError as error:
            result.error = str(error)
            result.failure = status_of(error.code)
            await self._send(pb.SupervisorMessage(relay_open_result=result))
            return Outcome.TARGET_FAILED
        try:
            result.success = True
            result.features.extend(FEATURES)
            await self._send(pb.SupervisorMessage(relay_open_result=result))
            leg = await self._claim(message.channel_id)
        except (OpenShellError, StreamClosed):
            dialled.abort("the gateway did not take the relay")
            return Outcome.BROKEN_NEAR
        except BaseException:
            dialled.abort("the relay was given up")
            raise
        return await dialled.run(leg, lambda how: self._tell(message.channel_id, how))

    def _tell(self, channel_id: str, how: pb.ExecExit) -> None:
        telling = asyncio.create_task(self._say_ended(pb.ExecEnded(channel_id=channel_id, how=how)))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _say_ended(self, ended: pb.ExecEnded) -> None:
        with contextlib.suppress(OpenShellError, StreamClosed):
            await self._send(pb.SupervisorMessage(exec_ended=ended))

    async def _dialled(self, message: pb.RelayOpen) -> Dialled:
        if len(self._tasks) > RELAYS_MAX:
            raise OpenShellError(Code.EXHAUSTED, f"the supervisor has {RELAYS_MAX} relays open")
        target = target_of(message)
        if target is None:
            raise OpenShellError(Code.INVALID, "the relay names no target that this supervisor knows")
        return await self._dial(target)

    async def _claim(self, channel_id: str) -> DataLeg:
        call = await self._channel.open(RELAY_STREAM, metadata=self._metadata)
        try:
            async with asyncio.timeout(CLAIM_TIMEOUT):
                await call.send(pb.RelayFrame(init=pb.RelayInit(channel_id=channel_id, features=FEATURES)))
        except BaseException:
            call.cancel("the claim was given up")
            raise
        return DataLeg(call)
