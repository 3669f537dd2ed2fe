"""`forward service`: the address that is printed, the errors that are told, the ways it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator

import click
import pytest

from pyopenshell.cli.app import run
from pyopenshell.cli.forward import Errors, address_text, parse_local, service
from pyopenshell.model import Outcome
from pyopenshell.sdk.forward import Closed
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("argv", [["forward", "service"], ["fwd", "service"], ["service", "forward"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_from_the_first_byte_to_ctrl_c(
    line: CommandLine, gateway: FakeGateway, echo: int, argv: list[str], number: signal.Signals
) -> None:
    reading, writing = os.pipe()
    context = line.context(None, writing, None)
    task = asyncio.create_task(run([*argv, "web", "--target-port", str(echo), "-o", "json"], context))
    told = json.loads(await asyncio.to_thread(os.read, reading, 4096))
    assert told == {
        "address": "127.0.0.1", "port": told["port"], "sandbox": "web", "target_host": "127.0.0.1", "target_port": echo,
    }  # fmt: skip
    reader, writer = await asyncio.open_connection("127.0.0.1", told["port"])
    writer.write(b"hello")
    writer.write_eof()
    assert await reader.read() == b"HELLO"
    writer.close()
    await writer.wait_closed()
    line.signals.send(number)
    assert await asyncio.wait_for(task, 20) == 0
    assert gateway.sessions == []
    os.close(reading)
    os.close(writing)


async def test_a_taken_port_names_its_holder(line: CommandLine) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        done = await line("forward", "service", "web", "--target-port", "80", "--local", str(port))
    assert done.code == 1
    assert f"port {port} on 127.0.0.1 is already in use by process {os.getpid()}" in done.err


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["web"], 2, "--target-port"),
        (["web", "--target-port", "0"], 2, "target port 0 is out of range"),
        (["web", "--target-port", "65536"], 2, "target port 65536 is out of range"),
        (["web", "--target-port", "x"], 2, "not a valid integer"),
        *(
            (["web", "--target-port", "80", "--target-host", host], 2, "is not a loopback address")
            for host in ("0.0.0.0", "169.254.169.254", "::ffff:10.0.0.1", "localhost.evil", "0x7f000001", "", "127.1")
        ),
        (["web", "--target-port", "80", "--local", "65536"], 2, "[ADDRESS:]PORT"),
        (["web", "--target-port", "80", "--local", "evil.example:80"], 2, "is not an IP address"),
        (["nobody", "--target-port", "80"], 1, "does not exist"),
        (["a/b", "--target-port", "80"], 2, "is not valid"),
    ],
)
async def test_bad_input(line: CommandLine, gateway: FakeGateway, argv: list[str], code: int, told: str) -> None:
    done = await line("forward", "service", *argv)
    assert (done.code, done.out) == (code, "")
    assert told in done.err and done.err.count("\n") == 1
    assert not gateway.made_sessions


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("8080", ("127.0.0.1", 8080)),
        (":8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("localhost:1", ("localhost", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("::1:80", ("::1", 80)),
    ],
)
def test_local_addresses(text: str, local: tuple[str, int]) -> None:
    context = click.Context(service)
    assert parse_local(context, service.params[0], text) == local
    for bad in ("", "x", "1.2.3.4", "1.2.3.4:", "-1", "٣"):
        with pytest.raises(click.BadParameter):
            parse_local(context, service.params[0], bad)


def test_addresses_for_people() -> None:
    assert address_text("127.0.0.1", 80) == "127.0.0.1:80"
    assert address_text("::1", 80) == "[::1]:80"


def test_the_same_error_is_told_once_until_something_worked(bare: CommandLine) -> None:
    said: list[str] = []
    context = bare.context(None, None, None)
    context.err = said.append  # type: ignore[method-assign]
    errors = Errors(context)
    for outcome, reason in (
        (Outcome.BROKEN_FAR, "refused\x1b[0m"),
        (Outcome.BROKEN_FAR, "refused\x1b[0m"),
        (Outcome.REFUSED, "gone"),
        (Outcome.COMPLETED, ""),
        (Outcome.BROKEN_NEAR, "the browser left"),
        (Outcome.REFUSED, "gone"),
    ):
        errors.closed(Closed("127.0.0.1:9", outcome, 0, 0, reason))
    assert said == [
        "connection from 127.0.0.1:9 failed: refused [0m",
        "connection from 127.0.0.1:9 failed: gone",
        "connection from 127.0.0.1:9 failed: gone",
    ]
