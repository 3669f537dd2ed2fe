"""What a bulk stream does to an interactive one on the same connections: round trips through a relay, in three settings.

    .venv/bin/python -m bench.fairness [--seconds N] [--stack tls|bare]

The relay is that of bench/streams.py: near, gateway and far, three processes, both streams on one connection on each hop.
`alone`: echoes of 64 bytes, nothing else. `beside a process`: the same, while other three processes move bulk (so the same
CPU is burned by somebody unrelated). `same connection`: while a bulk stream runs on the same connections. Turns of the
three follow each other; printed are the median over the turns of p50 and p99, and the ratio that matters.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.streams import certificates, client_tls, opened, relay_processes
from pyopenshell.streams import Channel, DataLeg, Endpoint

TURNS = 5


async def echoes(leg: DataLeg, seconds: float) -> list[float]:
    """Round trips of 64 bytes, one after another, in seconds."""
    trips = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        await leg.write(b"x" * 64)
        missing = 64
        while missing:
            missing -= len(await leg.read())
        trips.append(time.perf_counter() - start)
    return trips


async def pour(leg: DataLeg) -> int:
    """Read for ever; bytes read when it is cancelled."""
    got = 0
    with contextlib.suppress(asyncio.CancelledError):
        while chunk := await leg.read():
            got += len(chunk)
    return got


async def connect(port: int, folder: str) -> Channel:
    return await Channel.connect(Endpoint("127.0.0.1", port, server_name="localhost"), client_tls(folder))


async def turn(port: int, folder: str, seconds: float, bulk: bool) -> tuple[list[float], float]:
    """Round trips, and the bulk's bytes a second."""
    channel = await connect(port, folder)
    leg = await opened(channel, b"e")
    await leg.read()
    flood = await opened(channel, b"s") if bulk else None
    task = asyncio.create_task(pour(flood)) if flood is not None else None
    trips = await echoes(leg, seconds)
    moved = 0
    if task is not None:
        task.cancel()
        moved = await task
    await channel.close()
    return trips, moved / seconds


def p99(trips: list[float]) -> float:
    return statistics.quantiles(trips, n=100)[98]


@contextlib.contextmanager
def unrelated(folder: str) -> Iterator[None]:
    """Three other processes that move bulk, meanwhile."""
    with relay_processes(folder) as port, relay_near(folder, port):
        yield


@contextlib.contextmanager
def relay_near(folder: str, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.fairness", "--pour", str(port), "--pki", folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield
        child.communicate()


async def pour_until_told(port: int, folder: str) -> None:
    channel = await connect(port, folder)
    task = asyncio.create_task(pour(await opened(channel, b"s")))
    print("pouring", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    task.cancel()
    await task
    await channel.close()


def compare(folder: str, seconds: float) -> None:
    figures: dict[str, list[tuple[float, float]]] = {"alone": [], "beside a process": [], "same connection": []}
    speeds = []
    for _ in range(TURNS):
        with relay_processes(folder) as port:
            for name, trips in figures.items():
                with unrelated(folder) if name == "beside a process" else contextlib.nullcontext():
                    times, speed = asyncio.run(turn(port, folder, seconds, name == "same connection"))
                trips.append((statistics.median(times), p99(times)))
                if speed:
                    speeds.append(speed)
    words = "TLS" if folder else "bare"
    for name, trips in figures.items():
        p50s, p99s = zip(*trips, strict=True)
        print(
            f"{words:<5}{name:<18} p50 {statistics.median(p50s) * 1e3:6.2f} ms   p99 {statistics.median(p99s) * 1e3:6.2f} ms"
        )
    ratio = statistics.median(
        ours[1] / other[1] for ours, other in zip(figures["same connection"], figures["beside a process"], strict=True)
    )
    print(
        f"{words:<5}p99 beside the bulk: {ratio:.2f} x of beside a process; bulk {statistics.median(speeds) / 1e6:.0f} MB/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--stack", choices=["both", "tls", "bare"], default="both")
    parser.add_argument("--pour", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--pki", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.pour:
        asyncio.run(pour_until_told(asked.pour, asked.pki))
        return
    if asked.stack != "bare":
        with tempfile.TemporaryDirectory() as folder:
            certificates(Path(folder))
            compare(folder, asked.seconds)
    if asked.stack != "tls":
        compare("", asked.seconds)


if __name__ == "__main__":
    main()
