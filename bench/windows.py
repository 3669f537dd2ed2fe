"""One stream over a line of 40 MB/s at growing round trips: how fast, and with which windows.

    .venv/bin/python -m bench.windows [--rate MB_S] [--rtt MS ...] [--seconds N]

Three processes: a sender, the line (bench/wan.py), a receiver. Printed for each round trip: the rate reached after the
first second, what of the line (or of 8 MiB a round trip, where that is less) it is, when 90 % of it was first reached,
and the receive windows that the stream had on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import socket
import subprocess
import sys
import time

from pyopenshell.streams import Call, Channel, Endpoint, GrpcServer
from pyopenshell.streams.windows import GROWN

PATH = "/bench.Flow/Down"
BLOCK = 64 * 1024
#: Seconds that one sample of the rate covers.
SAMPLE = 0.25


async def send_for_ever(call: Call) -> None:
    """Messages until the caller goes."""
    call.admit()
    block = bytes(BLOCK)
    while True:
        await call.write(block)


async def serve() -> None:
    server = GrpcServer({PATH: send_for_ever})
    with socket.create_server(("127.0.0.1", 0)) as sock:
        print(sock.getsockname()[1], flush=True)
        await server.serve(sock)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await server.close()


async def receive(port: int, seconds: float) -> tuple[list[float], list[int]]:
    """Bytes a second in each sample, and the windows that the stream had, in their order."""
    channel = await Channel.connect(Endpoint("127.0.0.1", port), None)
    call = await channel.open(PATH)
    await call.end()
    rates, windows, got = [], [call.stream.window.size], 0
    end = start = time.monotonic()
    while len(rates) < seconds / SAMPLE:
        got += len(await call.read_raw())
        if call.stream.window.size != windows[-1]:
            windows.append(call.stream.window.size)
        if (now := time.monotonic()) - end >= SAMPLE:
            rates.append(got / (now - end))
            end, got = now, 0
    assert end - start >= seconds
    call.cancel()
    await channel.close()
    return rates, windows


def measure(rtt: float, rate: float, seconds: float) -> None:
    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start("bench.windows", "--serve") as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        with start("bench.wan", f"127.0.0.1:{port}", "--rtt", str(rtt), "--rate", str(rate)) as line:
            assert line.stdout is not None
            near = int(line.stdout.readline().rpartition(":")[2])
            rates, windows = asyncio.run(receive(near, seconds))
    steady = rates[int(1 / SAMPLE) :]
    reached = sum(steady) / len(steady)
    most = min(rate * 1e6, GROWN / (rtt / 1e3)) if rtt else rate * 1e6
    soon = next(at for at in itertools.count() if at == len(rates) or rates[at] >= 0.9 * most)
    when = f"{(soon + 1) * SAMPLE:5.2f} s" if soon < len(rates) else "  never"
    grown = " ".join(f"{size / 2**20:.3g}" for size in windows)
    print(f"{rtt:6.0f} ms {reached / 1e6:8.1f} MB/s {reached / most:8.0%} {when:>9}   {grown} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=40.0)
    parser.add_argument("--rtt", type=float, nargs="+", default=[0.0, 10.0, 60.0, 200.0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve())
        return
    print(f"{'round trip':>9} {'reached':>12} {'of line':>9} {'90 % at':>9}   receive windows")
    for rtt in asked.rtt:
        measure(rtt, asked.rate, asked.seconds)


if __name__ == "__main__":
    main()
