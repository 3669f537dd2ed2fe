"""From a freshly forked process to process 1 of a ready sandbox.

The caller (child of a warm, single-threaded parent) joins the cgroup, has the user namespace made, takes what the view
needs of the host, makes the namespaces and forks. The
fork is process 1: it builds the view, reports through a pipe, and goes on with the caller's function. The caller's own
namespaces are spent then: it is to report and end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from pyopenshell.linux import namespaces, process, sealing, steps
from pyopenshell.linux.ids import Ids, Shape
from pyopenshell.linux.sources import Sources, collect
from pyopenshell.linux.view import assemble

_MASK = 0o022  # umask(2) while the view is made, whatever the caller's is
_REPORT_MAX = 64 * 1024  # bytes of the report: a failure's text or a few facts


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build. `directory` is the sandbox's own directory on the host, made already; `source` is "" or a tree's
    directory.

    `etc` are names under the host's /etc that an operator adds to the allow list; `cgroup` descriptors of cgroup.procs
    files.
    """

    ids: Ids
    directory: str
    hostname: str
    source: str = ""
    etc: tuple[str, ...] = ()
    cgroup: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Born:
    """Process 1 of the sandbox as the host sees it, and what it is: `isolation` (shape) and `system` (read-only or
    overlay).
    """

    process: process.Identity
    facts: dict[str, str]


def create(plan: Plan, inside: Callable[[dict[str, str]], int]) -> Born:
    """Make the sandbox; `inside(facts)` runs in its process 1 and its answer is that process's exit status.

    Returns once the view is up. Raises SetupFailed with the step that failed; process 1 is gone then.
    """
    sealing.warm()
    os.umask(_MASK)
    with steps.step(steps.CGROUP):
        for fd in plan.cgroup:
            os.write(fd, b"0")
    userns = namespaces.make_user_namespace(plan.ids)
    sources = None
    if plan.ids.shape is Shape.RANGE:
        sources = collect(plan.ids, plan.directory, plan.source, plan.etc, userns)
    namespaces.become_root_inside(userns, plan.ids)
    os.close(userns)
    namespaces.make_others()
    if sources is None:
        sources = collect(plan.ids, plan.directory, plan.source, plan.etc, -1)
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        _process_one(plan, sources, told, inside)
    os.close(told)
    sources.close()
    return _hear(heard, pid)


def _process_one(plan: Plan, sources: Sources, told: int, inside: Callable[[dict[str, str]], int]) -> None:
    """Never returns."""
    status = 1
    try:
        os.setsid()
        try:
            sealing.seal_imports()  # from the pivot on, the paths of modules are the image's
            namespaces.set_up_network(plan.hostname)
            facts = assemble(plan.ids, sources, plan.hostname)
        except steps.SetupFailed as failure:
            _tell(told, {"step": failure.step, "errno": failure.errno, "text": failure.text, "hint": failure.hint})
            return
        except Exception as failure:  # ours: it must be told, or nobody ever learns of it
            _tell(told, {"step": steps.PID_ONE, "errno": 0, "text": repr(failure), "hint": ""})
            return
        _tell(told, {"facts": facts, "start_time": process.own_start_time()})
        os.close(told)
        status = inside(facts)
    finally:
        os._exit(status)


def _tell(fd: int, report: dict[str, object]) -> None:
    os.write(fd, json.dumps(report).encode()[:_REPORT_MAX])


def _hear(fd: int, pid: int) -> Born:
    data = bytearray()
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        while piece := pipe.read(_REPORT_MAX):
            data += piece
    if not data:
        os.waitpid(pid, 0)
        raise steps.SetupFailed(steps.PID_ONE, 0, "it ended without a word", "see the gateway's log")
    report = json.loads(data)
    if "step" in report:
        os.waitpid(pid, 0)
        raise steps.SetupFailed(report["step"], report["errno"], report["text"], report["hint"])
    return Born(process.Identity(pid, report["start_time"]), report["facts"])
