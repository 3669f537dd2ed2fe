"""Where a new sandbox goes: pure rules over what is known of each host.

Hosts that offer themselves as capacity are preferred to the gateway's own machine; a host that joined for its own sandbox
alone is none of them, and gets what names it in no case. Of those that fit, the least loaded one is taken. A sandbox with a
root file system of its own (`--from`) and no wish names a path of the gateway's machine, so it stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import HERE, Placement

#: A host that names no limit is compared with the others as if this were it: sandboxes that a machine of 8 cores holds
#: without a thought. Among such hosts it is the count that decides.
NOMINAL_MAX = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host as placement sees it. `sandboxes` counts those placed there; `refuses` says why it cannot hold this one."""

    name: str
    connected: bool = True
    draining: bool = False
    joined: bool = False
    sandboxes: int = 0
    max_sandboxes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    refuses: str = ""

    @property
    def load(self) -> tuple[float, int, str]:
        """How full it is, for comparing."""
        return self.sandboxes / (self.max_sandboxes or NOMINAL_MAX), self.sandboxes, self.name


def choose(wish: Placement, hosts: Sequence[Candidate], *, own_files: bool = False) -> str:
    """The name of the host that a sandbox goes to; "" is the gateway's own machine. `own_files`: it has a `source`.

    Raises NOT_FOUND for a host that is not registered, UNAVAILABLE for one that is away, PRECONDITION for one that takes
    nothing or whose labels do not hold, EXHAUSTED for one that is full; EXHAUSTED with each host's reason where none fits.
    """
    if wish.host == HERE:
        return ""
    if wish.host:
        return _named(wish, hosts)
    offered = [host for host in hosts if not host.joined]
    if not wish.labels and (own_files or not offered):
        return ""
    if not offered:
        raise OpenShellError(
            Code.PRECONDITION,
            "no sandbox host is registered, and only a host has labels",
            hint="leave the host labels out, or add a host: 'openshell gateway invite --role host'",
        )
    reasons = {host.name: _against(host, wish) for host in offered}
    fitting = [host for host in offered if reasons[host.name] is None]
    if fitting:
        return min(fitting, key=lambda host: host.load).name
    told = "; ".join(f"{name} {reason[1]}" for name, reason in reasons.items() if reason is not None)
    raise OpenShellError(
        Code.EXHAUSTED,
        f"no sandbox host can take it: {told}",
        hint=f"'--host {HERE}' places it on the gateway's own machine",
    )


def _named(wish: Placement, hosts: Sequence[Candidate]) -> str:
    host = next((one for one in hosts if one.name == wish.host), None)
    if host is None:
        raise OpenShellError(Code.NOT_FOUND, f"host {wish.host!r} is not registered", hint="see 'openshell host list'")
    if host.joined:
        raise OpenShellError(
            Code.PRECONDITION, f"host {host.name} joined for its own sandbox alone: nothing else is placed on it"
        )
    against = _against(host, wish)
    if against is not None:
        raise OpenShellError(against[0], f"host {host.name} {against[1]}", hint="see 'openshell host list'")
    return host.name


def _against(host: Candidate, wish: Placement) -> tuple[Code, str] | None:
    """What speaks against `host`, None where nothing does."""
    missing = [f"{key}={value}" for key, value in wish.labels.items() if host.labels.get(key) != value]
    if not host.connected:
        return Code.UNAVAILABLE, "is not connected"
    if host.draining:
        return Code.PRECONDITION, "is draining"
    if missing:
        return Code.PRECONDITION, f"has no label {', '.join(missing)}"
    if host.max_sandboxes and host.sandboxes >= host.max_sandboxes:
        return Code.EXHAUSTED, f"has its {host.max_sandboxes} sandboxes"
    return (Code.PRECONDITION, host.refuses) if host.refuses else None
