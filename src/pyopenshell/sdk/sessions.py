"""SSH sessions: the tokens that open relays to `ssh` and `tcp`. Each is good for one target, and is revoked after use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pyopenshell.errors import OpenShellError
from pyopenshell.model import Target
from pyopenshell.sdk.connection import Connection
from pyopenshell.sdk.types import moment
from pyopenshell.wire.convert import put_target
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

REVOKE_TIMEOUT = 2.0  # seconds; a token that could not be revoked ends by its expiry


@dataclass(frozen=True, slots=True)
class Session:
    """A token and what it is good for. `host_key` is the sandbox's public key line; empty from a gateway that tells none."""

    sandbox_id: str
    token: str = field(repr=False)
    host_key: str
    host_key_fingerprint: str
    max_connections: int
    expires: datetime | None


async def create_session(connection: Connection, sandbox: str, target: Target, max_connections: int = 1) -> Session:
    """A token for `target` of `sandbox` alone, for at most `max_connections` at once. Raises what the gateway answers."""
    request = pb.CreateSshSessionRequest(sandbox=sandbox, max_connections=max_connections)
    put_target(request.target, target)
    response = await connection.call("CreateSshSession", request, pb.CreateSshSessionResponse)
    return Session(
        sandbox_id=response.sandbox_id,
        token=response.token,
        host_key=response.host_key,
        host_key_fingerprint=response.host_key_fingerprint,
        max_connections=response.max_connections,
        expires=moment(response, "expiration_time"),
    )


async def revoke_session(connection: Connection, session: Session) -> None:
    """Revoke it; where the gateway cannot be reached, it ends by its expiry."""
    request = pb.RevokeSshSessionRequest(token=session.token, allow_missing=True)
    try:
        await connection.call("RevokeSshSession", request, pb.RevokeSshSessionResponse, timeout=REVOKE_TIMEOUT)
    except OpenShellError:
        pass


@asynccontextmanager
async def session(
    connection: Connection, sandbox: str, target: Target, max_connections: int = 1
) -> AsyncIterator[Session]:
    """A session for the time of the block."""
    made = await create_session(connection, sandbox, target, max_connections)
    try:
        yield made
    finally:
        await revoke_session(connection, made)
