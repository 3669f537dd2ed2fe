"""One running sandbox as the driver holds it, and how its two processes are made."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pyopenshell.drivers import limits, presence
from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.configs import InitConfig, SupervisorConfig, ids_to_json, send_config, spec_to_json
from pyopenshell.drivers.files import SandboxFiles
from pyopenshell.drivers.messages import close_all
from pyopenshell.drivers.orders import OrderKind
from pyopenshell.drivers.presence import Held
from pyopenshell.drivers.reference import user_namespace
from pyopenshell.drivers.zygote import Zygote, answer
from pyopenshell.linux import cgroups
from pyopenshell.linux.ids import Ids

#: Seconds that a supervisor, asked to end, has to end the main process; without one it is gone in milliseconds. As
#: `docker stop` gives.
STOP_GRACE = 10.0
#: The same where nothing that it could save is kept.
GRACE = 2.0
#: A killed process leaves its cgroup a moment after its pidfd told its end; one second is far more than that takes.
GROUP_ATTEMPTS = 50
GROUP_PAUSE = 0.02


@dataclass(slots=True, eq=False)
class Running:
    """A sandbox between its init's birth and end.

    `userns` is its user namespace (-1 until it is needed, for one that was adopted), `procs` are its cgroup.procs files:
    what the zygote hands to SSH children. Both are closed with it.
    """

    birth: Birth
    files: SandboxFiles
    ids: Ids
    init: Held
    supervisor: Held | None = None
    userns: int = -1
    procs: list[int] = field(default_factory=list)
    group: cgroups.Group | None = None
    watcher: asyncio.Task[None] | None = None
    log_start: int = 0

    async def end(self, grace: float = GRACE) -> None:
        """End the main process within `grace` seconds, then both processes; wait until the sandbox's namespaces are empty,
        and give everything back. Idempotent. Raises DEADLINE where they do not end; nothing is held then either.
        """
        try:
            if self.supervisor is not None:
                await self.supervisor.end(grace)
            await self.init.end()
        finally:
            self.release()
        if self.group is not None:
            await remove_group(self.group)
            self.group = None

    def release(self) -> None:
        """Let go of the descriptors; the processes run on."""
        for held in (self.supervisor, self.init):
            if held is not None:
                held.release()
        close_all([fd for fd in (self.userns, *self.procs) if fd >= 0])
        self.userns = -1
        self.procs = []


async def end_unheld(files: SandboxFiles, sandbox_id: str, grace: float) -> None:
    """`Running.end` for a sandbox that a lost driver left. Raises DEADLINE."""
    for lock, patience in ((files.supervisor_lock, grace), (files.init_lock, 0.0)):
        held = presence.find(lock)
        if held is not None:
            try:
                await held.end(patience)
            finally:
                held.release()
    await remove_group(cgroups.existing(sandbox_id))


async def remove_group(group: cgroups.Group) -> None:
    """Remove an ended sandbox's cgroup; where a process is still on its way out of it, in a moment. Raises OSError."""
    for _attempt in range(GROUP_ATTEMPTS):
        try:
            group.remove()
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        await asyncio.sleep(GROUP_PAUSE)
    group.remove()


async def make_init(
    zygote: Zygote,
    birth: Birth,
    files: SandboxFiles,
    ids: Ids,
    source: str,
    lifetime: Sequence[int],
    etc: Sequence[str] = (),
) -> tuple[Running, dict[str, str]]:
    """Have init born; returns the sandbox without a supervisor, and its facts. Raises what `zygote.answer` does."""
    wanted = birth.spec.limits
    facts: dict[str, str] = {}
    group = None
    if wanted.cpu or wanted.memory:
        support = cgroups.available()
        held = limits.held(wanted, support)
        facts = limits.facts(wanted, support)
        group = cgroups.make(birth.sandbox_id, held.cpu, held.memory)
    log_start = files.log_size("init")
    opened = [files.open_log("init")]
    try:
        cgroup = list(group.procs()) if group is not None else []
        opened += cgroup
        config = InitConfig(
            sandbox_id=birth.sandbox_id,
            name=birth.name,
            directory=str(files.directory),
            source=source,
            ids=ids_to_json(ids),
            spec=spec_to_json(birth.spec),
            lifetime=bool(lifetime),
            etc=etc,
        )
        with await zygote.child(OrderKind.INIT, birth.sandbox_id) as sock:
            send_config(sock, config, [opened[0], *lifetime, *cgroup])
            message, fds = await answer(sock, "ready", last_words=lambda: files.last_words("init", log_start))
    except BaseException:
        close_all(opened)
        if group is not None:
            group.remove()
        raise
    pidfd, userns = fds
    os.close(opened[0])
    init = Held(message["pid"], message["start_time"], pidfd)
    running = Running(birth, files, ids, init, userns=userns, procs=cgroup, group=group, log_start=log_start)
    return running, {**message["ready"], **facts}


async def make_supervisor(zygote: Zygote, running: Running, lifetime: Sequence[int]) -> None:
    """Have a supervisor born for a sandbox whose init lives. Raises what `zygote.answer` does."""
    birth = running.birth
    gateway = None if birth.remote is not None else Path(birth.gateway_socket)
    config = SupervisorConfig(
        sandbox_id=birth.sandbox_id,
        name=birth.name,
        ids=ids_to_json(running.ids),
        spec=spec_to_json(birth.spec),
        gateway_socket="" if gateway is None else gateway.name,
        lifetime=bool(lifetime),
        token=birth.token,
        host_key=birth.host_key,
        remote=None if birth.remote is None else asdict(birth.remote),
    )
    log_start = running.files.log_size("supervisor")
    opened: list[int] = []
    orders: socket.socket | None = None
    try:
        opened.append(os.open(running.files.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        if running.userns < 0:
            running.userns = await user_namespace(running.init, running.files.run)
        orders = await zygote.admit(birth.sandbox_id, [running.userns, *running.procs])
        opened.append(running.files.open_log("supervisor"))
        if gateway is not None:
            opened.append(os.open(gateway.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        with await zygote.child(OrderKind.SUPERVISOR, birth.sandbox_id) as sock:
            send_config(sock, config, [opened[0], orders.fileno(), *opened[1:], *lifetime])
            message, fds = await answer(
                sock, "born", last_words=lambda: running.files.last_words("supervisor", log_start)
            )
    finally:
        close_all(opened)
        if orders is not None:
            orders.close()
    running.supervisor = Held(message["born"], message["start_time"], fds[0])
