"""CreateSshSession and RevokeSshSession, and the reaper of what has expired.

A session is a token that opens `ssh` and `tcp` relays into one sandbox, for the principal that made it. Revoking it cuts
what it opened, at once.
"""

from __future__ import annotations

import asyncio
import logging

from pyopenshell.audit import entities
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import phases
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.sandbox_view import one_workspace
from pyopenshell.gateway.session_tokens import SessionTokens
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import SshTarget, TcpTarget
from pyopenshell.relay.outcomes import Cause
from pyopenshell.wire.convert import target_of, timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

REAP_INTERVAL = 60.0  # seconds; dead rows do no harm but take room
AUDITED_HASH = 16  # digits of a token's hash that name its session in the audit

logger = logging.getLogger("pyopenshell.gateway.ssh_sessions")


class SshSessionService:
    """Serves both calls. `endpoint` is where clients reach this gateway: scheme, host, port."""

    def __init__(
        self,
        registry: Registry,
        tokens: SessionTokens,
        board: Board,
        trail: Trail,
        endpoint: tuple[str, str, int],
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._board = board
        self._trail = trail
        self._endpoint = endpoint

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.CREATE_SSH_SESSION, pb.CreateSshSessionRequest, one=self.create),
            Rpc(Action.REVOKE_SSH_SESSION, pb.RevokeSshSessionRequest, one=self.revoke),
        ]

    async def create(self, request: pb.CreateSshSessionRequest, caller: Caller) -> pb.CreateSshSessionResponse:
        """A new session. Raises NOT_FOUND, PRECONDITION (not ready), INVALID (target)."""
        record = self._registry.resolve(request.sandbox, one_workspace(request.workspace_scope))
        caller.may(Action.CREATE_SSH_SESSION, record.id)
        phases.check_open(record)
        target = target_of(request.target) if request.HasField("target") else None
        if not isinstance(target, SshTarget | TcpTarget | None):
            raise OpenShellError(Code.INVALID, f"a session cannot be bound to the target {target}")
        token, session = await self._tokens.create(
            record.id,
            caller.principal,
            self._trail.wall(),
            target=target,
            max_connections=request.max_connections,
        )
        self._trail.note(
            entities.ssh_session_created, caller.principal, session.token_hash[:AUDITED_HASH], session.sandbox_id
        )
        scheme, host, port = self._endpoint
        response = pb.CreateSshSessionResponse(
            sandbox_id=record.id,
            token=token,
            gateway_scheme=scheme,
            gateway_host=host,
            gateway_port=port,
            host_key=record.host_key,
            host_key_fingerprint=record.host_key_fingerprint,
            max_connections=session.max_connections,
        )
        if session.expires_at is not None:
            response.expiration_time.CopyFrom(timestamp(session.expires_at))
        return response

    async def revoke(self, request: pb.RevokeSshSessionRequest, caller: Caller) -> pb.RevokeSshSessionResponse:
        """End a session and cut what it opened. Raises NOT_FOUND unless `allow_missing`."""
        session = await self._tokens.revoke(request.token, caller.principal, self._trail.wall())
        if session is None:
            if request.allow_missing:
                return pb.RevokeSshSessionResponse(outcome=pb.DELETION_OUTCOME_ALREADY_ABSENT)
            raise OpenShellError(Code.NOT_FOUND, "there is no such session")
        self._board.cut(session.token_hash, Cause.REVOKED)
        self._trail.note(
            entities.ssh_session_revoked, caller.principal, session.token_hash[:AUDITED_HASH], session.sandbox_id
        )
        return pb.RevokeSshSessionResponse(outcome=pb.DELETION_OUTCOME_COMPLETED)

    async def reap(self, interval: float = REAP_INTERVAL) -> None:
        """Delete dead sessions now and then, for ever; a database that fails is tried again."""
        while True:
            await asyncio.sleep(interval)
            try:
                dead = await self._tokens.reap(self._trail.wall())
            except OpenShellError as error:
                logger.warning("dead sessions stay for now: %s", error)
            else:
                if dead:
                    logger.debug("deleted %d dead sessions", dead)
