"""Strangers attack the port of a real gateway, without a certificate, while a command in a sandbox is typed at."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from pyopenshell.streams.hits import LINES
from tests.support.attacks import ATTACKS, Attack
from tests.support.hostile import playing
from tests.support.raw_client import Address
from tests.support.stream_pairs import Tls
from tests.support.world import World

pytestmark = pytest.mark.e2e

NAMES = ("rapid reset", "CONTINUATION, empty", "header list of 1 MiB", "HPACK bomb", "PING flood")
#: Times that each attack is made: more connections that are cut than lines about them.
TIMES = 8


def stranger() -> ssl.SSLContext:
    """Whoever can reach the port: no certificate of its own, and no care for the gateway's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


class Typist:
    """A command that gives back what it is told, line by line."""

    def __init__(self, world: World, sandbox: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = world.popen("sandbox", "exec", "-n", sandbox, "--", "cat", **pipes)
        self.lines = 0

    def type(self) -> None:
        """A line, and its echo."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = b"%d\n" % self.lines
        self._process.stdin.write(line)
        self._process.stdin.flush()
        assert self._process.stdout.readline() == line
        self.lines += 1

    def end(self) -> int:
        """End its input; its exit status."""
        out, _ = self._process.communicate()
        assert out == b""
        return self._process.returncode


async def attacked(attack: Attack, address: Address, tls: Tls, typist: Typist) -> list[str]:
    """How `attack` ended each time; a line is typed beside each."""
    ends = []
    for _ in range(TIMES):
        typing = asyncio.create_task(asyncio.to_thread(typist.type))
        async with playing(attack, address, tls) as how:
            ends.append(how)
        await typing
    return ends


def cut_lines(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "cut the client" in line]


def test_a_command_goes_on_while_strangers_attack(world: World, web: str) -> None:
    address = ("127.0.0.1", world.start().gateway.endpoint.port)
    tls = Tls(stranger(), stranger())
    typist = Typist(world, web)
    typist.type()
    before = len(cut_lines(world.gateway.log))
    for name in NAMES:
        attack = next(attack for attack in ATTACKS if attack.name == name)
        assert asyncio.run(attacked(attack, address, tls, typist)) == TIMES * [attack.ends]
    assert typist.end() == 0
    lines = cut_lines(world.gateway.log)[before:]
    assert 1 <= len(lines) < LINES + TIMES, "a flood is not made a flood of lines"
    assert all("(ENHANCE_YOUR_CALM)" in line for line in lines)
    assert world.run("sandbox", "exec", "-n", web, "--", "echo", "hi").ok().out == b"hi\n"
