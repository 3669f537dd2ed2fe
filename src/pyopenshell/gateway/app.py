"""A whole gateway as one object: made from settings and a driver, started on any port, drained, closed.

`main.py` makes one of the configuration; tests make one of a fake driver. Everything is put together here and nowhere else,
in the order in which it depends on each other, and taken apart in the opposite one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from pyopenshell.audit.base import Source
from pyopenshell.audit.log import AuditLog
from pyopenshell.drivers.base import Driver
from pyopenshell.gateway import sockets
from pyopenshell.gateway.admission import Admission
from pyopenshell.gateway.api_tokens import TokenBook
from pyopenshell.gateway.auth import Authenticator, Door
from pyopenshell.gateway.births import Births
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import EXTENSION, OPENSHELL, Doorkeeper, Rpc
from pyopenshell.gateway.draining import Draining
from pyopenshell.gateway.exec import ExecService
from pyopenshell.gateway.forward import ForwardService
from pyopenshell.gateway.health import SERVICE as HEALTH
from pyopenshell.gateway.health import HealthService
from pyopenshell.gateway.info import InfoService
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.gateway.leases import Leases
from pyopenshell.gateway.lifecycle import Lifecycle
from pyopenshell.gateway.log_book import LogBook
from pyopenshell.gateway.logs import LogService
from pyopenshell.gateway.pki import ensure_pki
from pyopenshell.gateway.reflection import SERVICES as REFLECTION
from pyopenshell.gateway.reflection import ReflectionService
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.relaying import Relaying
from pyopenshell.gateway.sandboxes import SandboxService
from pyopenshell.gateway.session_tokens import SessionTokens
from pyopenshell.gateway.settings import Settings
from pyopenshell.gateway.ssh_sessions import SshSessionService
from pyopenshell.gateway.supervisors import SupervisorService
from pyopenshell.gateway.tokens import ExtensionService
from pyopenshell.gateway.trail import Trail
from pyopenshell.gateway.watch import WatchService
from pyopenshell.gateway.work import Work
from pyopenshell.linux import memory
from pyopenshell.relay.sessions import Sessions
from pyopenshell.relay.switchboard import Switchboard
from pyopenshell.store.database import sqlite_url
from pyopenshell.store.lock import RUNTIME_HINT, StateLock
from pyopenshell.store.store import Store
from pyopenshell.streams.grpc_server import Handler
from pyopenshell.streams.listener import GrpcServer
from pyopenshell.streams.tls import server_context
from pyopenshell.streams.windows import WindowBudget

CLOSE_TIMEOUT = 2.0  # seconds for calls that were told to end
HEARTBEATS_MISSED = 3  # intervals of silence that end a session

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
        """Where clients find it."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"https://{host}:{self.port}"

    def hurry(self) -> None:
        """The moment that `stop` gives to relays is over."""
        self.board.close()

    async def stop(self) -> None:
        """Take no more, let relays end for a moment, close. Sandboxes run on, unless their lifetime is the gateway's."""
        if self._draining:
            return
        self._draining.begin()
        logger.info("gateway %s stops", self.settings.name)
        self._health.stop_serving()
        await self.board.idle(self.settings.drain_timeout)
        drained = [asyncio.ensure_future(server.drain(CLOSE_TIMEOUT)) for server in self._servers]
        self.board.close()
        self._watch.close()
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
        names = (*settings.server_names, settings.host)
        files = ensure_pki(pki, owner=settings.owner, now=time.time(), names=names)
        tls = server_context(files.server_cert, files.server_key, files.ca_cert, required=False)
        self._stack.push_async_callback(self.driver.close)
        facts = await self.driver.probe()
        self._assemble(store, SupervisorTokens(pki, settings.name, ttl=settings.supervisor_token_ttl), facts)
        await self.lifecycle.adopt_all()
        await self._listen(tcp, tls)
        logger.info("gateway %s serves at %s", settings.name, self.endpoint)

    def _assemble(self, store: Store, supervisor_tokens: SupervisorTokens, facts: Mapping[str, str]) -> None:
        settings, trail = self.settings, self.trail
        beat = settings.heartbeat_interval
        rules = Switchboard(Sessions(beat, HEARTBEATS_MISSED * beat, settings.grace), settings.claim_timeout)
        self.board = Board(rules)
        self.board.on_idle = memory.trim
        self.registry = Registry(store.sandboxes)
        births = Births(
            supervisor_tokens,
            store.id_bases,
            str(settings.runtime / sockets.FAR_DIRECTORY / sockets.FAR_SOCKET),
            ranges=facts.get("isolation") == "range",
            lifetime_gateway=settings.lifetime_gateway,
        )
        self.lifecycle = Lifecycle(self.registry, self.driver, self.board, births)
        self._stack.push_async_callback(self.lifecycle.close)
        self._stack.push_async_callback(self._work.close)
        book = LogBook(settings.state / "sandboxes")
        api_tokens = TokenBook(store.api_tokens)
        session_tokens = SessionTokens(
            store.ssh_sessions, ttl=settings.session_ttl, grant_max=settings.limits.granted_per_sandbox
        )
        self.authenticator = Authenticator(
            owner=settings.owner, owner_uid=os.geteuid(), api_tokens=api_tokens, supervisor_tokens=supervisor_tokens
        )
        self._leases = Leases(trail.wall)
        admission = Admission(self.registry, session_tokens, settings.limits, trail)
        relaying = self.relaying = Relaying(admission, self.board, trail)
        first = settings.first_message_timeout
        self._watch = WatchService(self.registry, book, self.lifecycle.attachments)
        ssh = SshSessionService(self.registry, session_tokens, self.board, trail, ("https", settings.host, self.port))
        self._work.beside(ssh.reap(), "reaper")
        supervisors = SupervisorService(
            self.registry, self.board, self.lifecycle, relaying, supervisor_tokens, trail, first_timeout=first
        )
        people = (
            SandboxService(self.registry, self.lifecycle, book, trail),
            ssh,
            ForwardService(relaying, init_timeout=first),
            ExecService(relaying, start_timeout=first),
            self._watch,
            LogService(self.registry, book),
            InfoService(settings.version, self.driver.name, facts, lambda: not self._draining),
            ExtensionService(
                self.registry, self.board, self.driver, api_tokens, store.ssh_sessions, self._leases, trail
            ),
        )
        self._rpcs: list[Rpc] = [rpc for service in (*people, supervisors) for rpc in service.rpcs()]

    async def _listen(self, tcp: socket.socket, tls: ssl.SSLContext) -> None:
        services = (OPENSHELL, EXTENSION, HEALTH, *REFLECTION)
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
        keeper = Doorkeeper(door, self.authenticator, self.trail, self._leases, refuse=self._draining.refuse)
        return {**open_to_all, **keeper.handlers(self._rpcs)}
