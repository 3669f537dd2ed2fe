"""Init: from a fork of the zygote to PID 1 of a ready sandbox, and then its server for as long as it lives.

Two processes play here. The *builder* reads its config, binds `run/init.sock` while paths still mean the host's, has
`linux.birth` build the sandbox, and reports once: `{"ready": facts, pid, start_time}` with a pidfd of PID 1 and the user
namespace, or `{"failed": {step, errno, text, hint}}`. *PID 1* opens its namespaces before nobody may look into it any more,
confines itself, and serves (`init_server.py`).

PID 1 holds its presence (`drivers/presence.py`), by which a driver that lost everything but the directory finds it
again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyopenshell.drivers import presence
from pyopenshell.drivers.configs import InitConfig, ids_of, receive_config
from pyopenshell.drivers.messages import BadMessageError, close_all, pair, receive_message, send_message
from pyopenshell.linux import birth, rlimits, title
from pyopenshell.linux.confine import confine_init
from pyopenshell.linux.ids import Ids
from pyopenshell.linux.namespaces import NAMES, Namespaces
from pyopenshell.linux.steps import PID_ONE, SetupFailed
from pyopenshell.supervisor import init_env
from pyopenshell.supervisor.init_loop import READ, Loop
from pyopenshell.supervisor.init_server import BACKLOG, Server
from pyopenshell.supervisor.init_spawn import Spawner

SOCKET = "run/init.sock"
PRESENCE = "run/init.lock"
EXIT_BROKEN = 70  # EX_SOFTWARE of sysexits(3): init itself failed
EXIT_LIFETIME = 0
_UMASK = 0o022  # what login shells of every distribution set


@dataclass(frozen=True, slots=True)
class Inside:
    """What the builder hands to PID 1 through the fork."""

    name: str
    ids: Ids
    env: Mapping[str, str]
    workdir: str
    listener: socket.socket
    presence: int  #: a file that PID 1 locks, by which a driver finds it
    lifetime: int
    serves: socket.socket  #: the facts and the user namespace are sent here once PID 1 serves
    spent: tuple[int, ...]  #: the builder's descriptors, to be closed


def born(config: socket.socket, _trusted: list[int]) -> int:
    """Entry of the zygote's fork. Returns the builder's exit status; PID 1 never returns from here."""
    raw, fds = receive_config(config)
    settings = InitConfig(**raw)
    if len(fds) < 1 + settings.lifetime:
        close_all(fds)
        raise BadMessageError("init's descriptors are not complete")
    os.dup2(fds[0], 2)
    lifetime = fds[1] if settings.lifetime else -1
    cgroup = tuple(fds[1 + settings.lifetime :])
    try:
        _build(config, settings, lifetime, cgroup)
    except SetupFailed as failed:
        cause = {"step": failed.step, "errno": failed.errno, "text": failed.text, "hint": failed.hint}
        send_message(config, {"failed": cause})
        return 1
    return 0


def _build(config: socket.socket, settings: InitConfig, lifetime: int, cgroup: tuple[int, ...]) -> None:
    ids = ids_of(**settings.ids)
    serving, serves = pair()
    inside = Inside(
        name=settings.name,
        ids=ids,
        env=settings.spec["env"],
        workdir=settings.spec["workdir"] or init_env.HOME,
        listener=_bind(settings.directory),
        presence=os.open(f"{settings.directory}/{PRESENCE}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600),
        lifetime=lifetime,
        serves=serves,
        spent=(config.fileno(), serving.fileno(), *cgroup),
    )
    plan = birth.Plan(ids, settings.directory, settings.name, settings.source, tuple(settings.etc), cgroup)
    born = birth.create(plan, lambda facts: serve(inside, facts))
    pidfd = os.pidfd_open(born.process.pid)
    try:
        serves.close()
        told = receive_message(serving)
        if told is None:
            raise SetupFailed(PID_ONE, 0, "it ended before it served", f"see {settings.directory}/init.log")
        facts, (userns,) = told
        ready = {"ready": facts, "pid": born.process.pid, "start_time": born.process.start_time}
        send_message(config, ready, [pidfd, userns])
    except BaseException:  # nobody knows of this sandbox, so nobody else could end it
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        raise


def _bind(directory: str) -> socket.socket:
    """The socket that init will serve, bound in the sandbox's run directory, which alone says who may connect."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Short, however long the path of the state directory is (sun_path, unix(7)).
        path = Path(f"/proc/self/fd/{parent}/{SOCKET}")
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o666)  # the directory is 0700 and the supervisor's
    finally:
        os.close(parent)
    return listener


def serve(inside: Inside, facts: dict[str, str]) -> int:
    """PID 1 of a sandbox whose view is up. Returns its exit status at the end of its lifetime."""
    try:
        close_all(inside.spent)
        presence.hold(inside.presence)
        title.set_title(f"openshell-init: {inside.name}")
        namespaces = Namespaces.of("self")
        facts.update(confine_init())
        rlimits.apply()
        os.umask(_UMASK)
        os.chdir("/")
        loop = Loop(log)
        spawner = Spawner(inside.env, inside.workdir, inside.ids)
        held = dict(zip(NAMES, namespaces.descriptors(), strict=True))
        inside.listener.listen(BACKLOG)
        Server(loop, inside.listener, spawner, held, facts)
        if inside.lifetime >= 0:
            loop.watch(inside.lifetime, READ, lambda: loop.stop(EXIT_LIFETIME))
        send_message(inside.serves, facts, [namespaces.user])
        inside.serves.close()
        return loop.run()
    except BaseException as failure:  # PID 1 must say why it ends: the driver shows the log's last line
        log(f"ended by {type(failure).__name__}: {failure}")
        return EXIT_BROKEN


def log(line: str) -> None:
    """One line with the time in UTC to the sandbox's log, which is standard error."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with contextlib.suppress(OSError):  # a full disk must not end a sandbox
        print(f"{stamp} init: {line}", file=sys.stderr, flush=True)
