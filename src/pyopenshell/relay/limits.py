"""How many relays may live at once, counted exactly: all the places that one relay needs are taken together, or none.

A `Place` is a name with a limit: one SSH session's token, one sandbox. Which places a relay needs is decided by
`places_for`, so the wire contract's limits stand in one function:

- a plain token: 3 for the token, 20 for the sandbox (both configurable);
- a token that was granted more at its making: what it was granted, and the sandbox's ceiling for granted tokens;
- our own targets (exec, files), which carry no token: the sandbox's ceiling for commands.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyopenshell.errors import Code, OpenShellError

PER_TOKEN = 3  # wire contract, default for one token
PER_SANDBOX = 20  # wire contract, default for one sandbox
GRANTED_PER_SANDBOX = 1000  # wire contract, ceiling of granted tokens in one sandbox
COMMANDS_PER_SANDBOX = 1000  # same ceiling for exec and files: a supervisor's streams on one HTTP/2 connection


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one gateway; all of them count live relays."""

    per_token: int = PER_TOKEN
    per_sandbox: int = PER_SANDBOX
    granted_per_sandbox: int = GRANTED_PER_SANDBOX
    commands_per_sandbox: int = COMMANDS_PER_SANDBOX


@dataclass(frozen=True, slots=True)
class Place:
    """One of `limit` places under `name`; `what` is how a message calls the holder of the limit."""

    name: str
    limit: int
    what: str


def places_for(limits: ConnectionLimits, sandbox_id: str, sandbox: str, token: str, granted: int) -> tuple[Place, ...]:
    """The places that a relay into `sandbox` needs. `token` is a hash or empty, `granted` 0 for a plain token."""
    if not token:
        return (Place(f"commands {sandbox_id}", limits.commands_per_sandbox, f"sandbox '{sandbox}' (commands)"),)
    if granted:
        return (
            Place(f"token {token}", granted, "this session's token"),
            Place(f"granted {sandbox_id}", limits.granted_per_sandbox, f"sandbox '{sandbox}' (all forwards)"),
        )
    return (
        Place(f"token {token}", limits.per_token, "this session's token"),
        Place(f"sandbox {sandbox_id}", limits.per_sandbox, f"sandbox '{sandbox}'"),
    )


class Counters:
    """Places taken now, by name. A name with nothing taken costs nothing."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, places: tuple[Place, ...]) -> None:
        """Take one of each; raises EXHAUSTED that names the limit, and takes nothing, when one is full."""
        for place in places:
            if self.taken(place.name) >= place.limit:
                raise OpenShellError(
                    Code.EXHAUSTED,
                    f"{place.what} has {place.limit} open connections, its limit",
                    hint="close one, or use a session with more connections",
                )
        for place in places:
            self._taken[place.name] = self.taken(place.name) + 1

    def give_back(self, places: tuple[Place, ...]) -> None:
        """Give back what one `take` of the same places took."""
        for place in places:
            left = self._taken[place.name] - 1
            if left:
                self._taken[place.name] = left
            else:
                del self._taken[place.name]

    def taken(self, name: str) -> int:
        """How many places under `name` are taken."""
        return self._taken.get(name, 0)

    def __repr__(self) -> str:
        return f"Counters({self._taken})"
