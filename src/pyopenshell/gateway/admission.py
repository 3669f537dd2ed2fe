"""May this caller open this relay? Every stream into a sandbox, whoever serves it, is let in here and nowhere else.

In this order, so that each answer tells no more than the caller may know: is there such a sandbox; may the principal open
such a target in it (`authorize`); is the token good for it (`exec` and `files` go by identity alone, `ssh` and `tcp` where
the caller said so); does the sandbox run; is there a place left (by the switchboard, when the relay is opened, right after).
"""

from __future__ import annotations

from pyopenshell.gateway import phases
from pyopenshell.gateway.authorize import forward_action
from pyopenshell.gateway.door import Caller
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.session_tokens import SessionTokens
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import SshTarget, Target, TcpTarget
from pyopenshell.relay.limits import ConnectionLimits, places_for
from pyopenshell.relay.relays import Request


def credential_tie(credential: str) -> str:
    """What every relay hangs on that this credential opened (`Principal.credential`)."""
    return f"credential {credential}"


class Admission:
    """Judges who may open what."""

    def __init__(self, registry: Registry, tokens: SessionTokens, limits: ConnectionLimits, trail: Trail) -> None:
        self._registry = registry
        self._tokens = tokens
        self._limits = limits
        self._trail = trail

    async def request(
        self, caller: Caller, sandbox: str, workspace: str, target: Target, token: str | None, now: float
    ) -> Request:
        """What to ask the switchboard for; open it without waiting for anything else. `now` is on the switchboard's clock.
        No `token` at all (None) goes by identity, an empty one is a token that is missing.

        A relay ends with the first of its credentials: the session's token, and the API token of who calls.
        Raises NOT_FOUND, FORBIDDEN, UNAUTHENTICATED, PRECONDITION.
        """
        record = self._registry.resolve(sandbox, workspace)
        caller.may(forward_action(target), record.id)
        ties = [credential_tie(caller.principal.credential)] if caller.principal.credential else []
        token_hash, granted = "", 0
        wall = self._trail.wall()
        ends = [caller.principal.expires_at]
        if token is not None and isinstance(target, SshTarget | TcpTarget):
            session = await self._tokens.verify(token, record.id, caller.principal, target, wall)
            token_hash, granted = session.token_hash, session.max_connections
            ties.append(token_hash)
            ends.append(session.expires_at)
            record = self._registry.resolve(record.id)  # it may have changed meanwhile, as the caller's token may
            caller.may(forward_action(target), record.id)
        phases.check_open(record)
        return Request(
            sandbox_id=record.id,
            sandbox=record.name,
            target=target,
            principal=caller.principal.subject,
            places=places_for(self._limits, record.id, record.name, token_hash, granted),
            ties=tuple(ties),
            ends_at=min((now + end - wall for end in ends if end is not None), default=None),
        )
