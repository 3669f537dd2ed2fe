"""What a gateway has inside, put together in the order in which one thing depends on another, and the RPCs that it serves.

Nothing here listens: `app.py` opens what these need, hands it in, and puts them behind the doors.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pyopenshell.drivers.base import Driver
from pyopenshell.enrol.invitation import Address
from pyopenshell.gateway import sockets
from pyopenshell.gateway.addresses import is_wildcard, reachable
from pyopenshell.gateway.admission import Admission
from pyopenshell.gateway.api_tokens import TokenBook
from pyopenshell.gateway.auth import Authenticator
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.births import Births
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import Rpc
from pyopenshell.gateway.draining import Draining
from pyopenshell.gateway.enrolment import EnrolmentService
from pyopenshell.gateway.exec import ExecService
from pyopenshell.gateway.forward import ForwardService
from pyopenshell.gateway.host_service import HostService
from pyopenshell.gateway.hosts import Hosts
from pyopenshell.gateway.info import InfoService
from pyopenshell.gateway.invitations import InvitationBook
from pyopenshell.gateway.jwt import SupervisorTokens
from pyopenshell.gateway.leases import Leases
from pyopenshell.gateway.lifecycle import Lifecycle
from pyopenshell.gateway.log_book import LogBook
from pyopenshell.gateway.logs import LogService
from pyopenshell.gateway.people import PeopleService
from pyopenshell.gateway.principals import PrincipalBook
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
from pyopenshell.store.store import Store

HEARTBEATS_MISSED = 3  # intervals of silence that end a session


@dataclass(frozen=True, slots=True)
class Foundation:
    """What `app.py` has opened: `facts` are those of the driver's probe, `port` is the TLS door's."""

    settings: Settings
    driver: Driver
    store: Store
    trail: Trail
    supervisor_tokens: SupervisorTokens
    authority: Authority
    facts: Mapping[str, str]
    port: int
    draining: Draining


class Services:
    """All of it. What has to be closed hangs on `stack`; what goes on beside the calls is `work`'s."""

    def __init__(self, under: Foundation, stack: AsyncExitStack, work: Work) -> None:
        settings, trail, store = under.settings, under.trail, under.store
        beat = settings.heartbeat_interval
        rules = Switchboard(Sessions(beat, HEARTBEATS_MISSED * beat, settings.grace), settings.claim_timeout)
        self.board = Board(rules)
        self.board.on_idle = memory.trim
        self.registry = Registry(store.sandboxes)
        hosts = Hosts(store.hosts, self.registry, under.driver, interval=beat, wall=trail.wall)
        births = Births(
            under.supervisor_tokens,
            store.id_bases,
            str(settings.runtime / sockets.FAR_DIRECTORY / sockets.FAR_SOCKET),
            ranges=under.facts.get("isolation") == "range",
            lifetime_gateway=settings.lifetime_gateway,
            host_ids=hosts.ids,
        )
        self.lifecycle = Lifecycle(self.registry, hosts, self.board, births)
        stack.push_async_callback(self.lifecycle.close)
        stack.push_async_callback(work.close)
        book = LogBook(settings.state / "sandboxes")
        api_tokens = TokenBook(store.api_tokens)
        session_tokens = SessionTokens(
            store.ssh_sessions, ttl=settings.session_ttl, grant_max=settings.limits.granted_per_sandbox
        )
        principals = PrincipalBook(store.principals, under.authority, settings.owner)
        self.enrolment = EnrolmentService(
            settings.name, under.authority, principals, trail, self.board.now, under.draining.refuse
        )
        self.authenticator = Authenticator(
            owner=settings.owner,
            owner_uid=os.geteuid(),
            api_tokens=api_tokens,
            supervisor_tokens=under.supervisor_tokens,
            principals=principals,
        )
        self.leases = Leases(trail.wall)
        admission = Admission(self.registry, session_tokens, settings.limits, trail)
        relaying = self.relaying = Relaying(admission, self.board, trail)
        first = settings.first_message_timeout
        self.watch = WatchService(self.registry, book, self.lifecycle.attachments)
        names = reachable(settings.server_names, settings.host, socket.gethostname())
        bound = names[0] if is_wildcard(settings.host) and names else settings.host
        endpoint = ("https", bound, under.port)
        ssh = SshSessionService(self.registry, session_tokens, self.board, trail, endpoint)
        work.beside(ssh.reap(), "reaper")
        people = PeopleService(
            InvitationBook(store),
            principals,
            under.authority,
            [Address(name, under.port) for name in names],
            store.ssh_sessions,
            self.board,
            self.leases,
            trail,
        )
        self._services = (
            SandboxService(self.registry, self.lifecycle, book, trail),
            ssh,
            ForwardService(relaying, self.registry, init_timeout=first),
            ExecService(relaying, start_timeout=first),
            self.watch,
            LogService(self.registry, book),
            InfoService(settings.version, under.driver.name, under.facts, lambda: not under.draining),
            ExtensionService(self.registry, self.board, hosts, api_tokens, store.ssh_sessions, self.leases, trail),
            people,
            HostService(
                hosts, self.registry, self.lifecycle, self.board, book, people.revoke_host, trail, first_timeout=first
            ),
            SupervisorService(
                self.registry,
                self.board,
                self.lifecycle,
                relaying,
                under.supervisor_tokens,
                trail,
                first_timeout=first,
            ),
        )

    def rpcs(self) -> list[Rpc]:
        """What all of them serve."""
        return [rpc for service in self._services for rpc in service.rpcs()]
