"""Limits of a sandbox: refused before anything is made where this machine cannot hold them, and said to be so where it
may.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import cgroups
from pyopenshell.model import Limits

#: Less memory than this and not even a shell starts, so that the sandbox would die without a word.
MEMORY_MIN = 4 * 1024 * 1024
#: cpu.cfs_quota_us is at least 1 ms in a period of 100 ms (sched-bwc in the kernel's documentation).
CPU_MIN = 0.01
CPU_MAX = 8192.0  # NR_CPUS of the largest kernels


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to limit: processors, and bytes of memory."""

    cpu: int
    memory: int

    @classmethod
    def here(cls) -> Machine:
        """This machine (sysconf(3))."""
        return cls(os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def check(limits: Limits, support: cgroups.Support, machine: Machine) -> None:
    """Raise INVALID for a limit that makes no sense, PRECONDITION for one that this machine cannot hold.

    With `best_effort` what cannot be held is left out instead (`facts` says so).
    """
    if limits.cpu != 0 and not CPU_MIN <= limits.cpu <= CPU_MAX:
        raise OpenShellError(
            Code.INVALID, f"a limit of {limits.cpu:g} cores makes no sense", hint=f"use {CPU_MIN} or more"
        )
    if limits.memory < 0 or 0 < limits.memory < MEMORY_MIN:
        raise OpenShellError(
            Code.INVALID, f"a limit of {limits.memory} bytes of memory is too small", hint=f"use {MEMORY_MIN} or more"
        )
    if limits.best_effort:
        return
    for word, wanted, reason in _each(limits, support):
        if wanted and reason:
            raise OpenShellError(
                Code.PRECONDITION,
                f"this machine cannot hold a {word} limit: {reason}",
                hint="ask for '--limits best-effort' to run without it",
            )
    if limits.cpu > machine.cpu or limits.memory > machine.memory:
        raise OpenShellError(
            Code.PRECONDITION,
            f"this machine has {machine.cpu} processors and {machine.memory} bytes of memory, less than the limit",
            hint="ask for less, or for '--limits best-effort'",
        )


def held(limits: Limits, support: cgroups.Support) -> Limits:
    """The part of `limits` that this machine can hold."""
    return Limits(
        cpu=0.0 if support.cpu else limits.cpu,
        memory=0 if support.memory else limits.memory,
        best_effort=limits.best_effort,
    )


def facts(limits: Limits, support: cgroups.Support) -> dict[str, str]:
    """What became of each limit that was asked for: `{"cpu limit": "1.5 cores"}` or `not applied: reason`."""
    shown = {"cpu": f"{limits.cpu:g} cores", "memory": f"{limits.memory} bytes"}
    return {
        f"{word} limit": f"not applied: {reason}" if reason else shown[word]
        for word, wanted, reason in _each(limits, support)
        if wanted
    }


def probed(support: cgroups.Support) -> dict[str, str]:
    """What this machine can hold, as facts of a probe: `{"limit_cpu": "yes", "limit_memory": "no: reason"}`."""
    reasons = {"limit_cpu": support.cpu, "limit_memory": support.memory}
    return {name: f"no: {reason}" if reason else "yes" for name, reason in reasons.items()}


def _each(limits: Limits, support: cgroups.Support) -> tuple[tuple[str, bool, str], ...]:
    return ("cpu", limits.cpu > 0, support.cpu), ("memory", limits.memory > 0, support.memory)
