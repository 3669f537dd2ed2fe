"""A supervisor without a sandbox: the real client stack, and a test that decides what each relay does.

`serve` is called with every claimed relay's leg; the default echoes. `refuse` makes dials fail. With `claim` False opens are
answered and never claimed; with `answer` False they are not even answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pyopenshell.drivers.base import Birth
from pyopenshell.streams import Channel, ClientCall, DataLeg, Endpoint
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

SERVICE = "/openshell.v1.OpenShell/"


async def echo(leg: DataLeg) -> None:
    """Give back what comes, then end; what a break leaves behind is nobody's."""
    while data := await leg.read():
        await leg.write(data)
    await leg.end()
    await leg.close()


class FakeSupervisor:
    def __init__(self, birth: Birth, *, instance: str = "instance", main: pb.MainProcessState | None = None) -> None:
        self.birth = birth
        self.instance = instance
        self.main = main or pb.MainProcessState(instance_id="main-1")
        self.serve: Callable[[DataLeg], Awaitable[None]] = echo
        self.refuse: pb.RelayOpenResult | None = None
        self.answer = True
        self.claim = True
        self.features: tuple[int, ...] = (1,)
        self.epoch = 0
        self.usage = pb.Usage()
        self.opens: asyncio.Queue[pb.RelayOpen] = asyncio.Queue()
        self.closes: asyncio.Queue[pb.RelayClose] = asyncio.Queue()
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.channel: Channel | None = None
        self.call: ClientCall
        self.accepted: pb.SessionAccepted
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.birth.token}"),)

    async def dial(self) -> None:
        """Connect to the gateway's far socket, without a session."""
        self.channel = await Channel.connect(Endpoint(unix=self.birth.gateway_socket))

    async def hello(self, sandbox_id: str | None = None) -> pb.GatewayMessage:
        """Open the control stream; the gateway's answer."""
        self.epoch += 1
        self.call = await self.channel.open(f"{SERVICE}ConnectSupervisor", metadata=self.metadata)
        hello = pb.SupervisorHello(
            sandbox_id=self.birth.sandbox_id if sandbox_id is None else sandbox_id,
            instance_id=self.instance,
            connection_epoch=self.epoch,
            main_process=self.main,
        )
        await self.call.send(pb.SupervisorMessage(hello=hello))
        answer = await self.call.receive(pb.GatewayMessage)
        assert answer is not None
        return answer

    async def connect(self) -> FakeSupervisor:
        """Dial, greet, and serve from then on."""
        await self.dial()
        answer = await self.hello()
        assert answer.WhichOneof("payload") == "session_accepted", answer
        self.accepted = answer.session_accepted
        self.ended = asyncio.get_running_loop().create_future()
        self._spawn(self._listen())
        return self

    async def send(self, **payload: object) -> None:
        await self.call.send(pb.SupervisorMessage(**payload))  # type: ignore[arg-type]

    async def lose(self) -> None:
        """The connection breaks."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.channel is not None:
            await self.channel.close()

    async def open_relay_stream(self, channel_id: str) -> ClientCall:
        call = await self.channel.open(f"{SERVICE}RelayStream", metadata=self.metadata)
        await call.send(pb.RelayFrame(init=pb.RelayInit(channel_id=channel_id, features=self.features)))
        return call

    async def _listen(self) -> None:
        failure: BaseException | None = None
        try:
            while (message := await self.call.receive(pb.GatewayMessage)) is not None:
                match message.WhichOneof("payload"):
                    case "relay_open":
                        self.opens.put_nowait(message.relay_open)
                        self._spawn(self._relay(message.relay_open))
                    case "relay_close":
                        self.closes.put_nowait(message.relay_close)
                    case "heartbeat":
                        usage = self.usage if message.heartbeat.usage else None
                        await self.send(heartbeat=pb.SupervisorHeartbeat(usage=usage))
        except Exception as error:
            failure = error
        self.ended.set_result(failure)

    async def _relay(self, message: pb.RelayOpen) -> None:
        if not self.answer:
            return
        if self.refuse is not None:
            self.refuse.channel_id = message.channel_id
            await self.send(relay_open_result=self.refuse)
            return
        result = pb.RelayOpenResult(channel_id=message.channel_id, success=True, features=self.features)
        await self.send(relay_open_result=result)
        if self.claim:
            await self.serve(DataLeg(await self.open_relay_stream(message.channel_id)))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a leg that broke is the test's business, met at the near end
