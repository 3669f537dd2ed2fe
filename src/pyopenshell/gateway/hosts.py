"""The book of sandbox hosts: who is registered, whose control stream is here, and which driver a sandbox has.

    hello ── (another machine has this name and is here: CONFLICT) ── connected ── lost ── hello ── ...

A record names its host; "" is the gateway's own machine, whose driver was there before there were hosts. A host's row and
driver stay when its stream is lost, so that whoever asks is told since when. Placement counts what is placed by the
registry, and what is being placed by reservations, so that two creates at once do not take one place twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pyopenshell.drivers.base import Driver, ExitCallback
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import placing
from pyopenshell.gateway.host_driver import HostDriver
from pyopenshell.gateway.host_session import FACT_MAX, HostSession, check_hello, shown_facts
from pyopenshell.gateway.registry import Registry
from pyopenshell.model import Phase, SandboxSpec, new_id
from pyopenshell.store.hosts import HostRecord, HostTable
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.text import clean
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

SANDBOXES_MAX = 2**31 - 1  # of `max_sandboxes`, as the table keeps it

logger = logging.getLogger("pyopenshell.gateway.hosts")


@dataclass(slots=True)
class Host:
    """One host. `unknown`: sandboxes whose files it has and that are not placed on it. `placing`: those on their way."""

    record: HostRecord
    driver: HostDriver
    unknown: tuple[str, ...] = ()
    placing: int = 0


class Hosts:
    """All hosts of one gateway. `on_back(record)` is told of each sandbox of a host that is back, `on_lost(sandbox_id)` of
    each one that was not heard of already when its host was lost.
    """

    def __init__(
        self, table: HostTable, registry: Registry, local: Driver, *, interval: float, wall: Callable[[], float]
    ) -> None:
        self._table = table
        self._registry = registry
        self._local = local
        self._interval = interval
        self._wall = wall
        self._hosts: dict[str, Host] = {}
        self._on_exit: ExitCallback | None = None
        self.on_back: Callable[[SandboxRecord], None] = lambda _record: None
        self.on_lost: Callable[[str], None] = lambda _sandbox_id: None

    async def load(self) -> None:
        """Read every host: once, at the start. Nobody is connected yet; who was, is lost since now."""
        now = self._wall()
        for record in await self._table.all():
            since = now if record.connected else record.since
            self._add(replace(record, connected=False, since=since))

    def told(self, on_exit: ExitCallback) -> None:
        """Call `on_exit` for every sandbox that ends by itself, wherever it is."""
        self._on_exit = self._local.on_exit = on_exit
        for host in self._hosts.values():
            host.driver.on_exit = on_exit

    # --- looking up -----------------------------------------------------------------------------------------------

    def all(self) -> list[Host]:
        """Every host, by name."""
        return [self._hosts[name] for name in sorted(self._hosts)]

    def named(self, name: str) -> Host:
        """Raises NOT_FOUND."""
        host = self._hosts.get(name)
        if host is None:
            raise OpenShellError(
                Code.NOT_FOUND, f"host {name[:80]!r} is not registered", hint="see 'openshell host list'"
            )
        return host

    def driver(self, name: str) -> Driver:
        """The driver of a record's `host`; of one that is not registered (a restored database) one that is away."""
        if not name:
            return self._local
        host = self._hosts.get(name)
        return HostDriver(name) if host is None else host.driver

    def of(self, sandbox_id: str) -> Driver:
        """The driver of a sandbox; of one that is not known, that of the gateway's own machine."""
        record = self._registry.get(sandbox_id)
        return self.driver("" if record is None else record.host)

    def away(self, name: str) -> str:
        """Why a record's `host` cannot be asked, "" where it can."""
        driver = self.driver(name)
        return driver.away() if isinstance(driver, HostDriver) else ""

    def why_lost(self, sandbox_id: str) -> str:
        """Why nobody hears of a sandbox whose supervisor stays away."""
        record = self._registry.get(sandbox_id)
        return (self.away(record.host) if record is not None else "") or "its supervisor is not connected"

    def ids(self, name: str) -> tuple[bool, Sequence[tuple[int, int]]]:
        """Whether sandboxes of this host have ranges of ids, and the (first id, count) pairs that others have there."""
        host = self._hosts.get(name)
        return (False, ()) if host is None else (host.driver.ranges, host.driver.taken_ids)

    # --- placement ------------------------------------------------------------------------------------------------

    @contextmanager
    def place(self, spec: SandboxSpec, host_name: str = "") -> Iterator[str]:
        """Choose where a sandbox goes and keep its place for the time of the block, at whose end the registry has it. With
        `host_name` there is no choice: it is a joined host's own.

        Raises as `placing.choose`, and what the driver's check raises.
        """
        name = host_name
        if not name:
            candidates = [self._candidate(host, spec) for host in self.all()]
            name = placing.choose(spec.placement, candidates, own_files=bool(spec.source))
        if not name:
            self._local.check(spec)
            yield name
            return
        host = self._hosts[name]
        host.placing += 1
        try:
            yield name
        finally:
            host.placing -= 1

    def _candidate(self, host: Host, spec: SandboxSpec) -> placing.Candidate:
        record, refuses = host.record, ""
        try:
            host.driver.check(spec)
        except OpenShellError as error:
            refuses = error.message.removeprefix(f"host {record.name} ")
        return placing.Candidate(
            name=record.name,
            connected=host.driver.session is not None,
            draining=record.draining,
            joined=record.joined,
            sandboxes=len(self._registry.on_host(record.name)) + host.placing,
            max_sandboxes=record.max_sandboxes,
            labels=record.labels,
            refuses=refuses,
        )

    # --- sessions -------------------------------------------------------------------------------------------------

    async def connect(self, name: str, hello: ext.HostHello, address: str) -> HostSession:
        """A host said hello: its session, whose stream the caller serves until it calls `disconnect`.

        Raises CONFLICT while another machine of this name is here, INVALID for a hello that is too long or malformed.
        """
        check_hello(hello)
        host, now = self._hosts.get(name), self._wall()
        older = None if host is None else host.driver.session
        if older is not None and older.machine != hello.machine:
            raise OpenShellError(
                Code.CONFLICT,
                f"host {name} is connected from another machine",
                hint="enrol this machine under a name of its own; where the other one is gone, wait 15 s",
            )
        if host is None:
            host = self._add(HostRecord(name, joined_at=now, since=now))
        session = HostSession(name, new_id(), hello.machine, self._interval)
        driver = host.driver
        driver.session, driver.since = session, now
        driver.facts = shown_facts(hello.facts)
        driver.taken_ids = [(each.first, each.count) for each in hello.taken_ids]
        if older is not None:
            older.end(OpenShellError(Code.CONFLICT, "a newer session of this host is here"))
        here = {record.id for record in self._registry.on_host(name)}
        host.unknown = tuple(sorted(set(hello.sandbox_ids) - here))
        if host.unknown:
            logger.warning("host %s has files of %d sandboxes that are not placed there", name, len(host.unknown))
        host.record = replace(
            host.record,
            connected=True,
            since=now,
            address=clean(address, FACT_MAX),
            version=clean(hello.version, FACT_MAX),
            labels=dict(hello.labels),
            facts=driver.facts,
            max_sandboxes=min(hello.max_sandboxes, SANDBOXES_MAX),
            joined=hello.joined,
        )
        try:
            await self._table.put(host.record)
        except BaseException:
            await self.disconnect(session)
            raise
        logger.info("host %s is connected from %s", name, host.record.address)
        for record in self._registry.on_host(name):
            self.on_back(record)
        return session

    async def disconnect(self, session: HostSession) -> None:
        """The stream of this session ended."""
        session.end(OpenShellError(Code.UNAVAILABLE, "the connection was lost"))
        host = self._hosts.get(session.host)
        if host is None or host.driver.session is not session:
            return
        host.driver.session = None
        host.driver.since = self._wall()
        host.record = replace(host.record, connected=False, since=host.driver.since)
        logger.warning("%s", host.driver.away())
        for record in self._registry.on_host(session.host):
            if record.phase is Phase.UNKNOWN:
                self.on_lost(record.id)
        await self._table.put(host.record)

    # --- what people do -------------------------------------------------------------------------------------------

    async def drain(self, name: str, draining: bool) -> Host:
        """Place nothing new there, or again. Raises NOT_FOUND."""
        host = self.named(name)
        host.record = replace(host.record, draining=draining)
        await self._table.put(host.record)
        return host

    async def remove(self, name: str) -> None:
        """Forget it and end its session. Raises NOT_FOUND."""
        host = self.named(name)
        await self._table.delete(name)
        self._hosts.pop(name, None)
        session, host.driver.session = host.driver.session, None
        if session is not None:
            session.end(OpenShellError(Code.FORBIDDEN, "this host was removed from the gateway"))

    def _add(self, record: HostRecord) -> Host:
        host = self._hosts[record.name] = Host(record, HostDriver(record.name, record.since, record.facts))
        host.driver.on_exit = self._on_exit
        return host
