"""The agent of a sandbox host: a local driver that a gateway on another machine gives orders to.

    Way ── Session ─┬─ Orders ── LocalDriver ── sandboxes, whose supervisors dial the gateway by themselves
                    ├─ Ended  ◄─ on_exit ─┘
                    └─ Renewal, Joining

Wiring. Its end leaves the sandboxes running; the next one adopts them when the gateway asks for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from pyopenshell.drivers.base import Driver
from pyopenshell.host.births import birth_of
from pyopenshell.host.ended import Ended
from pyopenshell.host.images import Images
from pyopenshell.host.joining import Joining
from pyopenshell.host.machine import machine_id
from pyopenshell.host.orders import Orders
from pyopenshell.host.renewal import Renewal
from pyopenshell.host.session import Companion, Session
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.host.way import Way
from pyopenshell.linux.passwd import subordinate_ranges
from pyopenshell.streams.proxies import FindProxy
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


@dataclass(frozen=True, slots=True)
class Offer:
    """What this host offers: `max_sandboxes` 0 is no limit; `joined` hosts are there for a sandbox of their own, whose name
    is `sandbox` (empty: the gateway makes one up).
    """

    max_sandboxes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    images: Images = field(default_factory=Images)
    joined: bool = False
    sandbox: str = ""


class Agent:
    """Serves the host `host` of `state` with `driver`. `tell` gets changes of state, `show` what was asked for."""

    def __init__(
        self,
        state: HostState,
        host: HostFile,
        driver: Driver,
        offer: Offer,
        *,
        find_proxy: FindProxy,
        tell: Callable[[str], None],
        show: Callable[[str], None],
        taken_ids: Callable[[], Sequence[tuple[int, int]]] = subordinate_ranges,
    ) -> None:
        self._state = state
        self._driver = driver
        self._offer = offer
        self._taken_ids = taken_ids
        self._facts: Mapping[str, str] = {}
        self._way = Way(state, host.addresses, find_proxy)
        ended = Ended()
        driver.on_exit = ended.note
        self._orders = Orders(
            driver,
            lambda message, new: birth_of(message, self._way.for_supervisors(), offer.images, new=new),
            running=state.running,
            max_sandboxes=offer.max_sandboxes,
            beginning=ended.forget,
        )
        companions: list[Companion] = [Renewal(state, host.renew_after)]
        if offer.joined:
            companions.append(Joining(state, offer.sandbox, show))
        self._session = Session(
            connect=self._way.connect,
            hello=self._hello,
            orders=self._orders,
            ended=ended,
            tell=tell,
            companions=tuple(companions),
        )

    async def run(self) -> None:
        """Probe this machine, then serve until cancelled. Raises PRECONDITION where no sandbox can be made here."""
        self._facts = await self._driver.probe()
        await self._session.run()

    async def close(self) -> None:
        """Let go of everything; sandboxes run on."""
        await self._orders.close()
        await self._driver.close()

    def _hello(self) -> ext.HostHello:
        return ext.HostHello(
            version=version("pyopenshell"),
            machine=machine_id(),
            facts=self._facts,
            labels=self._offer.labels,
            max_sandboxes=self._offer.max_sandboxes,
            joined=self._offer.joined,
            sandbox_ids=self._state.sandbox_ids(),
            taken_ids=[ext.IdRange(first=first, count=count) for first, count in self._taken_ids()],
        )
