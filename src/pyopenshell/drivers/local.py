"""The local driver: sandboxes on this machine, made of namespaces, each held by its init's pidfd.

    driver ──orders──> zygote ──fork──> init builder ──> PID 1      (run/init.lock, held by pidfd)
                              ──fork──> supervisor                  (run/supervisor.lock, held by pidfd)

One watcher for each sandbox waits for both ends. A supervisor that ended while its init lives is replaced, after a
growing pause; an init that ended takes the sandbox with it, and `on_exit` says why. All changes of one sandbox are
behind its lock, so that a stop during a start waits for its end. Nothing is kept on disk but the locks: after a restart
`adopt` finds what runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyopenshell.drivers import limits, presence, tasks
from pyopenshell.drivers.base import Birth, Driver, ProcessName
from pyopenshell.drivers.configs import ids_in
from pyopenshell.drivers.files import SandboxFiles, check_source
from pyopenshell.drivers.isolation import Isolation
from pyopenshell.drivers.running import GRACE, STOP_GRACE, Running, end_unheld, make_init, make_supervisor
from pyopenshell.drivers.watch import watch
from pyopenshell.drivers.zygote import Zygote
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import cgroups
from pyopenshell.linux.ids import ids_of_process
from pyopenshell.linux.sources import further
from pyopenshell.model import SandboxSpec

_LIFETIME_END = 10.0  # seconds for sandboxes to end with their gateway before they are killed


class LocalDriver(Driver):
    """Makes sandboxes below the directory `sandboxes`. `strict` refuses a shape without ids of its own.

    `etc_binds` are further names of the host's /etc that sandboxes of the host's view see; raises INVALID for a bad one.
    """

    name = "local"

    def __init__(self, sandboxes: Path, *, strict: bool = False, etc_binds: Sequence[str] = ()) -> None:
        self._sandboxes = sandboxes
        self._etc = further(etc_binds)
        sandboxes.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._zygote = Zygote(sandboxes / "zygote.log")
        self._isolation = Isolation(self._zygote, strict=strict)
        self._running: dict[str, Running] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lifetime: tuple[int, int] | None = None

    async def probe(self) -> Mapping[str, str]:
        """See `Driver.probe`."""
        ids = await self._isolation.ids()
        facts = {**await tasks.probe(self._zygote, ids), **self._isolation.facts()}
        return {**facts, **limits.probed(cgroups.available())}

    def check(self, spec: SandboxSpec) -> None:
        """See `Driver.check`; NOT_FOUND for a source that does not exist."""
        check_source(spec)
        if spec.limits.cpu or spec.limits.memory:
            limits.check(spec.limits, cgroups.available(), limits.Machine.here())

    async def start(self, birth: Birth) -> Mapping[str, str]:
        """See `Driver.start`."""
        self.check(birth.spec)
        files = SandboxFiles.of(self._sandboxes, birth.sandbox_id)
        ids = await self._isolation.ids(birth.id_base)
        async with self._locks[birth.sandbox_id]:
            alive = presence.find(files.init_lock)
            if alive is not None:
                alive.release()
                raise OpenShellError(Code.CONFLICT, f"sandbox {birth.name!r} runs already")
            new = not files.directory.exists()
            running: Running | None = None
            try:
                files.make(ids)
                source = await tasks.source(self._zygote, birth, files, ids)
                ids = ids_in(source, ids)
                lifetime = self._lifetime_of(birth)
                running, facts = await make_init(self._zygote, birth, files, ids, source, lifetime, self._etc)
                await make_supervisor(self._zygote, running, lifetime)
            except BaseException as failure:
                if running is not None:
                    await running.end()
                if new:
                    with contextlib.suppress(OpenShellError):
                        await tasks.remove(self._zygote, files.directory, await self._isolation.ids())
                if isinstance(failure, OSError):
                    raise OpenShellError(Code.UNAVAILABLE, f"the sandbox cannot be made: {failure}") from failure
                raise
            self._hold(running)
            return {**facts, **self._isolation.facts()}

    async def adopt(self, birth: Birth) -> bool:
        """See `Driver.adopt`."""
        files = SandboxFiles.of(self._sandboxes, birth.sandbox_id)
        async with self._locks[birth.sandbox_id]:
            known = self._running.get(birth.sandbox_id)
            if known is not None:
                known.birth = birth  # the next supervisor gets the newer token
                return True
            init = presence.find(files.init_lock)
            if init is None:
                return False
            try:
                ids = ids_in(files.tree(birth.spec.source), ids_of_process(init.pid))
            except (OpenShellError, OSError) as error:
                init.release()
                raise OpenShellError(Code.UNAVAILABLE, f"sandbox {birth.name!r} cannot be adopted: {error}") from error
            group = cgroups.existing(birth.sandbox_id)
            supervisor = presence.find(files.supervisor_lock)
            running = Running(birth, files, ids, init, supervisor, procs=list(group.procs()), group=group)
            running.log_start = files.log_size("init")
            if running.supervisor is None:
                try:
                    await make_supervisor(self._zygote, running, self._lifetime_of(birth))
                except BaseException:
                    running.release()
                    raise
            self._hold(running)
            return True

    async def stop(self, sandbox_id: str) -> None:
        """See `Driver.stop`."""
        async with self._locks[sandbox_id]:
            await self._stop(SandboxFiles.of(self._sandboxes, sandbox_id), sandbox_id, STOP_GRACE)

    async def delete(self, sandbox_id: str) -> None:
        """See `Driver.delete`."""
        files = SandboxFiles.of(self._sandboxes, sandbox_id)
        async with self._locks[sandbox_id]:
            await self._stop(files, sandbox_id, GRACE)
            if files.directory.exists():
                await tasks.remove(self._zygote, files.directory, await self._isolation.ids())
        del self._locks[sandbox_id]

    async def processes(self, sandbox_id: str = "") -> list[ProcessName]:
        """See `Driver.processes`."""
        if not sandbox_id:
            zygote = self._zygote.process
            return [] if zygote is None else [ProcessName("zygote", zygote.pid, zygote.start_time)]
        running = self._running.get(sandbox_id)
        if running is None:
            return []
        names = [ProcessName("init", running.init.pid, running.init.start_time)]
        if running.supervisor is not None:
            names.append(ProcessName("supervisor", running.supervisor.pid, running.supervisor.start_time))
        return names

    async def close(self) -> None:
        """See `Driver.close`. Sandboxes whose lifetime is the gateway's, and then the zygote, are gone when it returns."""
        mortal = [running for running in self._running.values() if running.birth.lifetime_gateway]
        surviving = len(self._running) - len(mortal)
        for running in self._running.values():
            if running.watcher is not None:
                running.watcher.cancel()
        if self._lifetime is not None:
            for fd in self._lifetime:
                os.close(fd)
            self._lifetime = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LIFETIME_END):
                for running in mortal:
                    await running.init.ended()
        for running in self._running.values():
            if running in mortal:
                await running.end()
            else:
                running.release()
        self._running.clear()
        if surviving:
            await self._zygote.close()
        else:
            await self._zygote.gone()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _lifetime_of(self, birth: Birth) -> tuple[int, ...]:
        """The reading end of the pipe that only this process holds open, where the sandbox is to end with it."""
        if not birth.lifetime_gateway:
            return ()
        if self._lifetime is None:
            self._lifetime = os.pipe()
        return (self._lifetime[0],)

    def _hold(self, running: Running) -> None:
        self._running[running.birth.sandbox_id] = running
        running.watcher = asyncio.create_task(self._watch(running))

    async def _watch(self, running: Running) -> None:
        await watch(running, self._replace)
        await self._init_ended(running)

    async def _replace(self, running: Running) -> None:
        """Start another supervisor; where that fails the watcher tries again."""
        async with self._locks[running.birth.sandbox_id]:
            if running.supervisor is not None:
                running.supervisor.release()
                running.supervisor = None
            with contextlib.suppress(OpenShellError, OSError):
                await make_supervisor(self._zygote, running, self._lifetime_of(running.birth))

    async def _init_ended(self, running: Running) -> None:
        sandbox_id = running.birth.sandbox_id
        async with self._locks[sandbox_id]:
            if self._running.get(sandbox_id) is not running:
                return
            del self._running[sandbox_id]
            words = running.files.last_words("init", running.log_start)
            await running.end()
        if self.on_exit is not None:
            self.on_exit(sandbox_id, f"the sandbox's init ended: {words or 'it was killed from outside'}")

    async def _stop(self, files: SandboxFiles, sandbox_id: str, grace: float) -> None:
        running = self._running.pop(sandbox_id, None)
        if running is None:
            await end_unheld(files, sandbox_id, grace)
            return
        if running.watcher is not None:
            running.watcher.cancel()
        await running.end(grace)
