"""A sandbox host without sandboxes: a real client of ServeHost with the certificate of one that enrolled, and a fake driver.

`held`: orders of these kinds are not answered. `says`: what a kind of order is answered with, in place of the driver's word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pyopenshell.drivers.base import Birth
from pyopenshell.errors import OpenShellError
from pyopenshell.streams import Channel, ClientCall
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.sandbox_spec import of_message
from tests.support.enrolling import HOST, Member, enrol
from tests.support.fake_driver import FakeDriver
from tests.support.gateway_kit import Kit

SERVE_HOST = "/pyopenshell.v1.Extension/ServeHost"
_KINDS = {"zygote": 2, "supervisor": 3, "init": 4}


class FakeHost:
    def __init__(self, kit: Kit, member: Member, name: str, **hello: Any) -> None:
        self.kit = kit
        self.member = member
        self.name = name
        self.hello = ext.HostHello(**{"machine": "m1", "version": "1", "facts": {"isolation": "range"}, **hello})
        self.driver = FakeDriver()
        self.driver.on_start = kit._supervise
        self.births: list[ext.HostedBirth] = []
        self.held: set[str] = set()
        self.says: dict[str, ext.HostAnswer] = {}
        self.beats = True
        self.orders: asyncio.Queue[str] = asyncio.Queue()
        self.channel: Channel
        self.call: ClientCall
        self.accepted: ext.HostAccepted
        self.ended: asyncio.Future[BaseException | None]
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def enrolled(cls, kit: Kit, name: str = "lab1", **hello: Any) -> FakeHost:
        """One that has its certificate and is not connected."""
        return cls(kit, await enrol(kit, HOST, name), name, **hello)

    async def connect(self) -> FakeHost:
        """Dial, say hello, and serve from then on. Raises what the gateway refuses it with."""
        self.channel = await self.member.connect(self.kit)
        self.call = await self.channel.open(SERVE_HOST)
        await self.send(hello=self.hello)
        answer = await self.call.receive(ext.GatewayOrder)
        assert answer is not None
        self.accepted = answer.accepted
        self.ended = asyncio.get_running_loop().create_future()
        self._spawn(self._serve())
        return self

    async def send(self, **payload: Any) -> None:
        await self.call.send(ext.HostMessage(**payload))

    async def lose(self, *, supervisors: bool = False) -> None:
        """The connection breaks; with `supervisors` theirs do too."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.channel.close()
        if supervisors:
            for birth in self.births:
                await self.kit.supervisors[birth.sandbox_id].lose()

    async def join(self, name: str = "") -> ext.JoinSandboxResponse:
        request = ext.JoinSandboxRequest(name=name)
        return await self.kit.extension("JoinSandbox", request, ext.JoinSandboxResponse, channel=self.channel)

    async def until(self, kind: str) -> None:
        """Wait until an order of this kind has come."""
        async with asyncio.timeout(10):
            while await self.orders.get() != kind:
                pass

    async def _serve(self) -> None:
        failure: BaseException | None = None
        try:
            while (message := await self.call.receive(ext.GatewayOrder)) is not None:
                if message.WhichOneof("payload") == "order":
                    self._spawn(self._obey(message.order))
                elif self.beats:
                    await self.send(heartbeat=ext.HostHeartbeat())
        except Exception as error:
            failure = error
        self.ended.set_result(failure)

    async def _obey(self, order: ext.Order) -> None:
        kind = order.WhichOneof("order") or ""
        self.orders.put_nowait(kind)
        if kind in self.held:
            return
        answer = self.says.get(kind)
        if answer is None:
            try:
                answer = await self._do(kind, getattr(order, kind))
            except OpenShellError as error:
                answer = ext.HostAnswer(error=error.code.value, message=error.message, hint=error.hint)
        answer.order = order.id
        await self.send(answer=answer)

    async def _do(self, kind: str, about: Any) -> ext.HostAnswer:
        if kind == "start":
            return ext.HostAnswer(facts=await self.driver.start(self._birth(about)))
        if kind == "adopt":
            return ext.HostAnswer(runs=await self.driver.adopt(self._birth(about)))
        if kind == "stop":
            await self.driver.stop(about)
        if kind == "delete":
            await self.driver.delete(about)
        if kind == "processes":
            names = await self.driver.processes(about)
            found = [ext.Process(kind=_KINDS[n.kind], pid=n.pid, start_time=n.start_time) for n in names]  # type: ignore[arg-type]
            return ext.HostAnswer(processes=found)
        return ext.HostAnswer()

    def _birth(self, told: ext.HostedBirth) -> Birth:
        self.births.append(told)
        return Birth(
            sandbox_id=told.sandbox_id,
            name=told.name,
            spec=of_message(told.spec),
            token=told.token,
            host_key=told.host_key,
            gateway_socket=str(self.kit.settings.runtime / "far/supervisor.sock"),
            id_base=told.id_base,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a stream that broke is the test's business
