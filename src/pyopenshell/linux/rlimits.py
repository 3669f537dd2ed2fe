"""Resource limits of every process of a sandbox (getrlimit(2)): what the machine gives, never more than it had."""

from __future__ import annotations

import resource

#: soft and hard limit
LIMITS: dict[int, tuple[int, int]] = {
    resource.RLIMIT_CORE: (0, 0),  # a core file would hold what the process knew
    resource.RLIMIT_NOFILE: (
        65_536,
        65_536,
    ),  # enough for a build or a server; programs that close them all still start fast
    resource.RLIMIT_NPROC: (16_384, 16_384),  # of one id in this user namespace: a fork bomb ends here
}


def apply() -> None:
    """Set the limits on this process; where the hard limit it has is lower, that one stays."""
    for kind, (soft, hard) in LIMITS.items():
        _, now = resource.getrlimit(kind)
        ceiling = hard if now == resource.RLIM_INFINITY else min(hard, now)
        resource.setrlimit(kind, (min(soft, ceiling), ceiling))
