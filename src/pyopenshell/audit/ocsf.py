"""Audit events as OCSF 1.3 objects (https://schema.ocsf.io/1.3.0): pure functions from facts to a dict.

Classes used: Network Activity 4001 (supervisor sessions and relays), SSH Activity 4007 (relays to `ssh`, beside 4001),
Process Activity 1007 (exec), Entity Management 3004 (sandboxes, API tokens, SSH sessions), Authentication 3002 (refused
callers). `type_uid` is class * 100 + activity everywhere. Times are seconds since the epoch here, milliseconds there.

No secret can get in: builders take ids and hashes' owners, never tokens, and `clean` takes out what looks like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyopenshell.errors import Code
from pyopenshell.model import Outcome, Principal, Target

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What every event of one gateway says about its maker."""

    gateway: str
    version: str
    host: str


@dataclass(frozen=True, slots=True)
class Relay:
    """The relay that an event is about. `address` is the caller's, as text ("127.0.0.1:4711", "unix")."""

    channel_id: str
    sandbox_id: str
    sandbox: str
    target: Target
    principal: Principal
    address: str = ""


def relay_opened(source: Source, now: float, relay: Relay) -> list[Event]:
    """A relay was claimed: bytes may flow. 4001 Open, and 4007 Open for an ssh target."""
    raise NotImplementedError


def relay_refused(source: Source, now: float, relay: Relay, code: Code, reason: str) -> list[Event]:
    """A relay was not opened: by a rule (4001 Refuse, denied) or because it could not be (4001 Fail), told by `code`."""
    raise NotImplementedError


def relay_closed(
    source: Source, now: float, relay: Relay, outcome: Outcome, *, opened_at: float, bytes_far: int, bytes_near: int, reason: str = ""
) -> list[Event]:
    """A relay has ended: 4001 Close (Reset where it broke) with byte counts of both directions."""
    raise NotImplementedError


def session_opened(source: Source, now: float, sandbox_id: str, sandbox: str, session_id: str, address: str = "") -> Event:
    """A supervisor's control stream was accepted: 4001 Open."""
    raise NotImplementedError


def session_refused(source: Source, now: float, sandbox_id: str, reason: str, address: str = "") -> Event:
    """A supervisor's control stream was refused: 4001 Refuse."""
    raise NotImplementedError


def session_closed(
    source: Source, now: float, sandbox_id: str, sandbox: str, session_id: str, *, opened_at: float, reason: str, address: str = ""
) -> Event:
    """A supervisor's control stream has ended (lost, superseded, drained): 4001 Close."""
    raise NotImplementedError


def exec_started(source: Source, now: float, relay: Relay, argv: Sequence[str], *, workdir: str = "", tty: bool = False) -> Event:
    """A command was asked for on an exec relay: 1007 Launch. The environment is not told at all."""
    raise NotImplementedError


def exec_ended(source: Source, now: float, relay: Relay, argv: Sequence[str], exit_code: int, *, reason: str = "") -> Event:
    """A command has ended: 1007 Terminate."""
    raise NotImplementedError


def token_created(source: Source, now: float, principal: Principal, token_id: str, name: str, scopes: Sequence[str]) -> Event:
    """An API token was made: 3004 Create."""
    raise NotImplementedError


def token_revoked(source: Source, now: float, principal: Principal, token_id: str, name: str) -> Event:
    """An API token was revoked: 3004 Delete."""
    raise NotImplementedError


def ssh_session_created(source: Source, now: float, principal: Principal, session_id: str, sandbox_id: str) -> Event:
    """A token of ForwardTcp was made: 3004 Create. `session_id` is the first 16 digits of its hash, not the token."""
    raise NotImplementedError


def ssh_session_revoked(source: Source, now: float, principal: Principal, session_id: str, sandbox_id: str) -> Event:
    """A token of ForwardTcp was revoked: 3004 Delete."""
    raise NotImplementedError


def sandbox_created(source: Source, now: float, principal: Principal, sandbox_id: str, sandbox: str) -> Event:
    """A sandbox was created: 3004 Create."""
    raise NotImplementedError


def sandbox_deleted(source: Source, now: float, principal: Principal, sandbox_id: str, sandbox: str) -> Event:
    """A sandbox was deleted: 3004 Delete."""
    raise NotImplementedError


def caller_refused(source: Source, now: float, rpc: str, code: Code, reason: str, address: str = "") -> Event:
    """Somebody could not say who they are (UNAUTHENTICATED) or may not (FORBIDDEN): 3002 Logon, failure."""
    raise NotImplementedError


def events_lost(source: Source, now: float, count: int) -> Event:
    """`count` events were lost before this one: Base Event 0."""
    raise NotImplementedError
