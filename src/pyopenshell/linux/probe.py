"""Can this machine make a sandbox? One whole throw-away sandbox says so, and a failure names its step and the cure.

Single facts (a sysctl, a version) are no answer: on Ubuntu unshare works and the id map or the first mount then fails.
So everything that a real one
needs is done: maps, namespaces, mounts, proc, devpts, loopback, confinement, and a program run as `sandbox`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile

from pyopenshell.errors import OpenShellError
from pyopenshell.linux import birth, confine, enter, forks, ids, namespaces, steps

_NO_EXEC = 127  # exit status of a child that could not become the program, as a shell has it


def probe(chosen: ids.Ids) -> dict[str, str]:
    """Make and end one sandbox with the ids `chosen`.

    Returns its facts: isolation, system, landlock, seccomp. Raises SetupFailed. Call it in a single-threaded process.
    """
    directory = tempfile.mkdtemp(prefix="openshell-probe-")
    try:
        return forks.call(lambda: _try(chosen, directory), "the probe of a sandbox")
    finally:
        with contextlib.suppress(OSError, OpenShellError):  # the machine's refusal is what counts
            namespaces.remove_tree(chosen, directory)
        shutil.rmtree(directory, ignore_errors=True)  # where not even that can be: all in it is ours then


def _try(chosen: ids.Ids, directory: str) -> dict[str, str]:
    heard, told = os.pipe()
    born = birth.create(birth.Plan(chosen, directory, "probe"), lambda _facts: _process_one(chosen, told))
    os.close(told)
    with os.fdopen(heard, "rb") as pipe:
        fences = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(born.process.pid, 0)[1])
    with steps.step(steps.PROGRAM):
        if status != 0:
            raise OSError(0, f"exit status {status}")
    return born.facts | dict(json.loads(fences))


def _process_one(chosen: ids.Ids, told: int) -> int:
    """Confine itself, run /bin/true through the door that every command takes, and give its exit status."""
    os.write(told, json.dumps(confine.confine_init()).encode())
    pid = os.fork()
    if pid == 0:
        try:
            enter.enter(enter.Door(chosen, chosen.sandbox_uid, chosen.sandbox_gid))
            os.execve("/bin/true", ["true"], {})  # noqa: S606 - no shell is the point
        finally:
            os._exit(_NO_EXEC)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
