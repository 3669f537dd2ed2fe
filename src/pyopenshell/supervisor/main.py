"""The supervisor of one sandbox: outside of it, and the only one who speaks to the gateway for it.

    born ─ root given up ─ init ─ main process ─┬─ Session: control stream and relays, for ever
                                                ├─ MainProcess: output and end
                                                └─ until init is gone, or the lifetime pipe ends, or END_SANDBOX: the
                                                   main process is asked to end then, and waited for

Wiring alone. The zygote calls `born` in a fork.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from pyopenshell import log as logs_to
from pyopenshell.drivers.messages import readable
from pyopenshell.drivers.presence import END_SANDBOX
from pyopenshell.errors import EXIT_ERROR, EXIT_OK, OpenShellError
from pyopenshell.streams.contract import ByteStream
from pyopenshell.streams.sockets import adopt
from pyopenshell.supervisor.birth import SupervisorBirth, give_up_root, receive
from pyopenshell.supervisor.credential import Credential
from pyopenshell.supervisor.dial import Dialler
from pyopenshell.supervisor.init_client import InitClient
from pyopenshell.supervisor.logs import LogPusher, LogRing
from pyopenshell.supervisor.mainproc import MainProcess
from pyopenshell.supervisor.reaching import connector
from pyopenshell.supervisor.session import Connect, Session
from pyopenshell.supervisor.ssh_start import SshStarter
from pyopenshell.supervisor.usage import usage

log = logging.getLogger("pyopenshell.supervisor")


def born(config: socket.socket, _trusted: list[int]) -> int:
    """Entry of the zygote's fork: a supervisor until its sandbox ends. Returns the exit status."""
    birth = receive(config)
    connect = connector(birth)  # before root is given up: what TLS needs may lie where the sandbox's id cannot read
    give_up_root(birth)
    logs_to.configure(birth.spec.log_level or "info")
    return run_supervisor(birth, connect)


def run_supervisor(birth: SupervisorBirth, connect: Connect) -> int:
    """Serve the sandbox until its init is gone or its lifetime ends. Returns the exit status."""
    try:
        asyncio.run(supervise(birth, connect))
    except OpenShellError as error:
        log.error("%s", error)
        return EXIT_ERROR
    return EXIT_OK


async def supervise(birth: SupervisorBirth, connect: Connect) -> None:
    """Wire everything together and wait for the end. Raises OpenShellError where init cannot be reached."""
    init = await InitClient.connect(birth.run_directory)
    try:
        metadata = Credential(birth.token)
        ring = LogRing()
        pusher = LogPusher(ring, birth.sandbox_id, metadata)
        main_process = MainProcess(init, birth.spec.command, ring, birth.sandbox_id, metadata)
        await main_process.start()

        async def connect_inside(host: str, port: int) -> ByteStream:
            return await adopt(await init.dial(host, port))

        start_ssh = SshStarter(birth, init)
        session = Session(
            sandbox_id=birth.sandbox_id,
            instance_id=main_process.instance_id,
            metadata=metadata,
            connect=connect,
            dial=Dialler(init, connect_inside, start_ssh).dial,
            main_state=main_process.state,
            companions=(pusher, main_process, metadata),
            usage=lambda: usage(init),
        )
        try:
            await _until_over(birth, init, session, main_process)
            await pusher.last(connect)
        finally:
            await start_ssh.close()
    finally:
        init.close()


async def _until_over(birth: SupervisorBirth, init: InitClient, session: Session, main_process: MainProcess) -> None:
    running = [asyncio.create_task(session.run()), asyncio.create_task(main_process.run())]
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(END_SANDBOX, asked.set)
    ends: list[asyncio.Task[Any]] = [
        running[0],
        asyncio.create_task(_lost(init)),
        asyncio.create_task(_asked_to_end(asked, main_process)),
    ]
    if birth.lifetime >= 0:
        ends.append(asyncio.create_task(_ended(birth.lifetime)))
    try:
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in done:  # the session never ends by itself: it raises what no one foresaw
            log.info("the supervisor ends: %s", end.result())
    finally:
        for task in (*running, *ends):
            task.cancel()
        await asyncio.gather(*running, *ends, return_exceptions=True)


async def _lost(init: InitClient) -> str:
    return await asyncio.shield(init.lost)


async def _asked_to_end(asked: asyncio.Event, main_process: MainProcess) -> str:
    """The driver ends this sandbox; it kills whatever runs once its patience is over."""
    await asked.wait()
    await main_process.end()
    return "it was asked to"


async def _ended(lifetime: int) -> str:
    """Nothing is ever written to the pipe: it is readable at its end alone."""
    await readable(lifetime)
    return "its gateway has ended"
