"""Carries out what the gateway orders: in the order of their coming for one sandbox, beside each other for different ones.

    order ── too many wait? ── after the last one of this sandbox ── one of AT_ONCE ── driver ── answer

An order that has begun is carried out to its end, whatever becomes of the stream that it came on; an answer that can no
longer be said is dropped, because a gateway that comes back asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pyopenshell.drivers.base import Birth, Driver, ProcessKind
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

AT_ONCE = 16  # starts beside each other: more only wait for the same disk and processors
WAITING_MAX = 4096  # a gateway that comes back asks once for each sandbox, and a machine holds far fewer
KINDS: dict[ProcessKind, ext.Process.Kind] = {
    "zygote": ext.Process.KIND_ZYGOTE,
    "supervisor": ext.Process.KIND_SUPERVISOR,
    "init": ext.Process.KIND_INIT,
}

log = logging.getLogger("pyopenshell.host.orders")

#: Says an answer on the stream that the order came on. Raises OpenShellError or StreamClosed where that is lost.
Say = Callable[[ext.HostAnswer], Awaitable[None]]


class Orders:
    """Carries out orders with `driver`. `birth_of(message, new=...)` makes what it is told; `beginning(sandbox_id)` is
    called before a start or an adoption. `running` names the sandboxes that run, of which there are to be at most
    `max_sandboxes` (0: no limit).
    """

    def __init__(
        self,
        driver: Driver,
        birth_of: Callable[..., Birth],
        *,
        running: Callable[[], list[str]],
        max_sandboxes: int = 0,
        beginning: Callable[[str], None] = lambda _sandbox_id: None,
    ) -> None:
        self._driver = driver
        self._birth_of = birth_of
        self._running = running
        self._max = max_sandboxes
        self._beginning = beginning
        self._last: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: set[str] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def take(self, order: ext.Order, say: Say) -> None:
        """Carry out `order` and `say` how it went, in a task of its own."""
        kind = order.WhichOneof("order") or ""
        about = getattr(order, kind, "")
        sandbox_id = about if isinstance(about, str) else about.sandbox_id
        if len(self._tasks) >= WAITING_MAX:
            refused = OpenShellError(Code.EXHAUSTED, f"{WAITING_MAX} orders are waiting on this host")
            work = self._say(say, _failed(order.id, refused))
        else:
            work = self._one(order, kind, sandbox_id, self._last.get(sandbox_id) if sandbox_id else None, say)
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        if sandbox_id:
            self._last[sandbox_id] = task
        task.add_done_callback(lambda done: self._over(sandbox_id, done))

    async def settle(self) -> None:
        """Wait until every order that was taken is carried out."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up what waits and what has begun."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, sandbox_id: str, done: asyncio.Task[None]) -> None:
        self._tasks.discard(done)
        if self._last.get(sandbox_id) is done:
            del self._last[sandbox_id]

    async def _one(
        self, order: ext.Order, kind: str, sandbox_id: str, before: asyncio.Task[None] | None, say: Say
    ) -> None:
        if before is not None:
            await asyncio.wait((before,))
        async with self._room:
            try:
                answer = await self._carry_out(order, kind, sandbox_id)
            except OpenShellError as error:
                log.info("order %s of %s: %s", kind, sandbox_id or "the host", error)
                answer = _failed(order.id, error)
            except Exception:  # a defect of ours must not leave the gateway without an answer
                log.exception("order %s of %s", kind, sandbox_id or "the host")
                answer = _failed(order.id, OpenShellError(Code.INTERNAL, "the host failed; its log says how"))
        await self._say(say, answer)

    async def _say(self, say: Say, answer: ext.HostAnswer) -> None:
        try:
            await say(answer)
        except (OpenShellError, StreamClosed) as error:
            log.info("the answer to order %d was not said: %s", answer.order, error)

    async def _carry_out(self, order: ext.Order, kind: str, sandbox_id: str) -> ext.HostAnswer:
        match kind:
            case "start":
                facts = await self._start(order.start)
                return ext.HostAnswer(order=order.id, facts=facts)
            case "adopt":
                self._beginning(sandbox_id)
                runs = await self._driver.adopt(self._birth_of(order.adopt, new=False))
                return ext.HostAnswer(order=order.id, runs=runs)
            case "stop":
                await self._driver.stop(sandbox_id)
            case "delete":
                await self._driver.delete(sandbox_id)
            case "processes":
                names = await self._driver.processes(sandbox_id)
                processes = [ext.Process(kind=KINDS[n.kind], pid=n.pid, start_time=n.start_time) for n in names]
                return ext.HostAnswer(order=order.id, processes=processes)
            case _:
                raise OpenShellError(
                    Code.PRECONDITION, "this host does not know the order", hint="it is older than its gateway"
                )
        return ext.HostAnswer(order=order.id)

    async def _start(self, message: ext.HostedBirth) -> dict[str, str]:
        birth = self._birth_of(message, new=True)
        here = self._starting.union(self._running()) - {birth.sandbox_id}
        if self._max and len(here) >= self._max:
            raise OpenShellError(Code.EXHAUSTED, f"{len(here)} sandboxes run on this host, which takes {self._max}")
        self._beginning(birth.sandbox_id)
        self._starting.add(birth.sandbox_id)
        try:
            return dict(await self._driver.start(birth))
        finally:
            self._starting.discard(birth.sandbox_id)


def _failed(order: int, error: OpenShellError) -> ext.HostAnswer:
    return ext.HostAnswer(order=order, error=error.code.value, message=error.message, hint=error.hint)
