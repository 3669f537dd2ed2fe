"""A whole gateway as one object: made from settings and a driver, started on any port, drained, closed.

`main.py` makes one of the configuration; tests make one of a fake driver. What is opened here is closed in the opposite
order; what it is made of inside is put together in `services.py`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack

from pyopenshell.audit.base import Source
from pyopenshell.audit.log import AuditLog
from pyopenshell.drivers.base import Driver
from pyopenshell.enrol.invitation import Address
from pyopenshell.gateway import sockets
from pyopenshell.gateway.addresses import dialled, reachable
from pyopenshell.gateway.auth import Door
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.door import ENROLMENT, EXTENSION, OPENSHELL, Doorkeeper
from pyopenshell.gateway.draining import Draining
from pyopenshell.gateway.health import SERVICE as HEALTH
from pyopenshell.gateway.health import HealthService
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.gateway.reflection import SERVICES as REFLECTION
from pyopenshell.gateway.reflection import ReflectionService
from pyopenshell.gateway.server_certificate import ServerCertificate
from pyopenshell.gateway.services import Foundation, Services
from pyopenshell.gateway.settings import Settings
from pyopenshell.gateway.trail import Trail
from pyopenshell.gateway.work import Work
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.lock import RUNTIME_HINT, StateLock
from pyopenshell.store.store import Store
from pyopenshell.streams.grpc_server import Handler
from pyopenshell.streams.listener import GrpcServer
from pyopenshell.streams.tls import server_context
from pyopenshell.streams.windows import WindowBudget

CLOSE_TIMEOUT = 2.0  # seconds for calls that were told to end

logger = logging.getLogger("pyopenshell.gateway")


class Gateway:
    """A running gateway. `await Gateway.start(settings, driver)`; `await gateway.stop()`."""

    def __init__(self, settings: Settings, driver: Driver) -> None:
        self.settings = settings
        self.driver = driver
        self.port = 0
        self._stack = AsyncExitStack()
        self._draining = Draining(settings.state)
        self._work = Work()

    @classmethod
    async def start(cls, settings: Settings, driver: Driver) -> Gateway:
        """Lock, open, probe, adopt, listen. Raises what any of them raises, and then nothing is left behind."""
        gateway = cls(settings, driver)
        try:
            await gateway._start()
        except BaseException:
            await gateway._stack.aclose()
            raise
        return gateway

    @property
    def endpoint(self) -> str:
        """Where clients on this machine find it."""
        return f"https://{Address(dialled(self.settings.host), self.port)}"

    def hurry(self) -> None:
        """The moment that `stop` gives to relays is over."""
        self.services.board.close()

    async def stop(self) -> None:
        """Take no more, let relays end for a moment, close. Sandboxes run on, unless their lifetime is the gateway's."""
        if self._draining:
            return
        self._draining.begin()
        logger.info("gateway %s stops", self.settings.name)
        self._health.stop_serving()
        await self.services.board.idle(self.settings.drain_timeout)
        drained = [asyncio.ensure_future(server.drain(CLOSE_TIMEOUT)) for server in self._servers]
        self.services.board.close()
        self.services.watch.close()
        await asyncio.wait(drained, timeout=CLOSE_TIMEOUT)
        await self._stack.aclose()
        for drain in drained:
            drain.cancel()
        await asyncio.gather(*drained, return_exceptions=True)

    async def _start(self) -> None:
        settings, stack = self.settings, self._stack
        stack.callback(StateLock.acquire(settings.state).release)
        stack.callback(StateLock.acquire(settings.runtime, "runtime directory", RUNTIME_HINT).release)
        self._draining.forget()  # one that was killed left it
        tcp = sockets.listen_tcp(settings.host, settings.port)
        stack.callback(tcp.close)
        self.port = int(tcp.getsockname()[1])
        store = await Store.open(settings.database_url or sqlite_url(settings.state / "gateway.db"))
        stack.push_async_callback(store.close)
        source = Source(settings.name, settings.version, socket.gethostname())
        audit = AuditLog(
            settings.state / "audit.jsonl" if settings.audit else None,
            source,
            max_bytes=settings.audit_max_bytes,
            keep=settings.audit_keep,
            warn=logger.warning,
        )
        stack.push_async_callback(audit.close)
        self.trail = Trail(audit, source)
        stack.callback(self.trail.flush)
        pki = settings.state / "pki"
        names = (*settings.server_names, *reachable((), settings.host, socket.gethostname()))
        certificate = ServerCertificate(pki, settings.owner, names, self.trail.wall)
        files = certificate.files
        authority = Authority(files, settings.certificate_ttl)
        tls = server_context(files.server_cert, files.server_key, files.ca_cert, required=False)
        self._stack.push_async_callback(self.driver.close)
        facts = await self.driver.probe()
        under = Foundation(
            settings,
            self.driver,
            store,
            self.trail,
            SupervisorTokens(pki, settings.name, ttl=settings.supervisor_token_ttl),
            authority,
            facts,
            self.port,
            self._draining,
        )
        self.services = Services(under, stack, self._work)
        self._work.beside(certificate.keep(tls, authority), "certificates")
        await self.services.lifecycle.adopt_all()
        await self._listen(tcp, tls)
        logger.info("gateway %s serves at %s", settings.name, self.endpoint)

    async def _listen(self, tcp: socket.socket, tls: ssl.SSLContext) -> None:
        services = (OPENSHELL, EXTENSION, ENROLMENT, HEALTH, *REFLECTION)
        self._health = HealthService(services)
        open_to_all = {**self._health.handlers(), **ReflectionService(services).handlers()}
        runtime = self.settings.runtime
        owner = sockets.listen_unix(runtime, sockets.OWNER_SOCKET, directory_mode=0o700, mode=0o600)
        self._stack.callback(sockets.remove, runtime / sockets.OWNER_SOCKET)
        far_directory = runtime / sockets.FAR_DIRECTORY
        far = sockets.listen_unix(far_directory, sockets.FAR_SOCKET, directory_mode=0o711, mode=0o666)
        self._stack.callback(sockets.remove, far_directory / sockets.FAR_SOCKET)
        self.windows = WindowBudget(self.settings.relay_budget)
        self._servers = [
            GrpcServer(
                self._handlers(one, open_to_all),
                name=f"gateway ({one})",
                peers=one.peers,
                budget=self.windows,
                doorkeeper=True,
            )
            for one in Door
        ]
        for server in self._servers:
            self._stack.push_async_callback(server.close)
        by_door = dict(zip(Door, self._servers, strict=True))
        await by_door[Door.TLS].serve(tcp, tls)
        await by_door[Door.OWNER].serve(owner)
        await by_door[Door.FAR].serve(far)

    def _handlers(self, door: Door, open_to_all: Mapping[str, Handler]) -> dict[str, Handler]:
        inside = self.services
        keeper = Doorkeeper(door, inside.authenticator, self.trail, inside.leases, refuse=self._draining.refuse)
        # Supervisors have their tokens from their birth, so at their door nobody enrols.
        enrolment = {} if door is Door.FAR else inside.enrolment.handlers()
        return {**open_to_all, **enrolment, **keeper.handlers(inside.rpcs())}
