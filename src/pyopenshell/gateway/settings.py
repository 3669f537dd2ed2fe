"""What a gateway is made of: every value that `main.py` reads from the configuration, and that tests choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pyopenshell.gateway.relaying import FIRST_MESSAGE_TIMEOUT
from pyopenshell.relay.limits import ConnectionLimits
from pyopenshell.relay.sessions import GRACE, HEARTBEAT_INTERVAL
from pyopenshell.relay.switchboard import CLAIM_TIMEOUT
from pyopenshell.streams.windows import BUDGET

DRAIN_TIMEOUT = 5.0  # seconds for relays to end by themselves; a client waits 20 for the whole gateway


@dataclass(frozen=True, slots=True)
class Settings:
    """Durations in seconds, sizes in bytes."""

    name: str
    state: Path
    runtime: Path
    owner: str
    version: str
    host: str = "127.0.0.1"
    port: int = 0
    server_names: tuple[str, ...] = ()
    database_url: str = ""
    audit: bool = True
    audit_max_bytes: int = 64 << 20
    audit_keep: int = 4
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    certificate_ttl: float = 365 * 24 * 3600.0
    session_ttl: float = 24 * 3600.0
    supervisor_token_ttl: float = 7 * 24 * 3600.0
    claim_timeout: float = CLAIM_TIMEOUT
    grace: float = GRACE
    heartbeat_interval: float = HEARTBEAT_INTERVAL
    first_message_timeout: float = FIRST_MESSAGE_TIMEOUT
    relay_budget: int = BUDGET
    lifetime_gateway: bool = False
    drain_timeout: float = DRAIN_TIMEOUT
