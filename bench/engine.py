"""What the HTTP/2 engine costs by itself, beside the `h2` library: no socket, no loop, one process.

    .venv/bin/python -m bench.engine [SECONDS]

Each line is one case; both engines do it in turns, SECONDS of CPU time each (default 1; CPU time, so that a busy machine
shows less). Printed: units a second, what one costs, payload moved, how many times as fast as `h2` (the median over the
turns), and what is alive for each unit while its owner holds what came of it (memory blocks, and bytes at the peak).
`in` is bytes received, told as events, windows given back; `out` is messages queued and taken as bytes for the transport.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from statistics import median
from time import process_time

from bench import engine_h2, engine_ours
from bench.engine_cases import Step

#: Turns that each engine has.
TURNS = 9
#: gRPC messages queued before one `take`: a busy stream between two turns of the event loop.
BATCH = 16
#: Bytes that a transport hands over at once.
CHUNK = 2**18


def cases() -> list[tuple[str, Step, Step, int]]:
    """Name, our step, `h2`'s step, payload bytes of a unit."""
    table = []
    for size in (64, 2**10, 2**14, 2**16):
        table.append((f"in: DATA {words(size)}", size, "data_in", (size, CHUNK)))
    table.append(("in: DATA 64 KiB, 16 KiB at a time", 2**16, "data_in", (2**16, 2**14)))
    for size in (64, 2**10, 2**14, 2**16):
        table.append((f"out: messages of {words(size)}, one a take", size, "data_out", (size, 1)))
    for size in (64, 2**10):
        table.append((f"out: messages of {words(size)}, {BATCH} a take", size, "data_out", (size, BATCH)))
    table.append(("stream opened and ended, both ends", 0, "open_close", ()))
    table.append(("unary call of 100 B, both ends", 0, "unary", (bytes(100),)))
    return [
        (name, getattr(engine_ours, case)(*given), getattr(engine_h2, case)(*given), payload)
        for name, payload, case, given in table
    ]


def words(size: int) -> str:
    return f"{size} B" if size < 2**10 else f"{size >> 10} KiB"


def rate(step: Step, seconds: float) -> float:
    """Units a second of CPU time."""
    units, start = 0, process_time()
    while (spent := process_time() - start) < seconds:
        units += step()[0]
    return units / spent


def memory(step: Step) -> tuple[float, float]:
    """Memory blocks that one unit's outcome holds, and bytes at the peak."""
    gc.disable()
    before = sys.getallocatedblocks()
    units, held = step()
    blocks = (sys.getallocatedblocks() - before) / units
    del held
    gc.enable()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    step()
    peak = (tracemalloc.get_traced_memory()[1] - before) / units
    tracemalloc.stop()
    return blocks, peak


def main(seconds: float) -> None:
    print(f"{'':<40}{'units/s':>11}{'us each':>9}{'MB/s':>9}{'x h2':>7}   {'blocks, peak bytes each (h2)'}")
    for name, ours, theirs, payload in cases():
        for step in (ours, theirs) * 20:
            step()
        turns = [(rate(ours, seconds / TURNS), rate(theirs, seconds / TURNS)) for _ in range(TURNS)]
        speed = median(one for one, _ in turns)
        times = median(one / other for one, other in turns)
        moved = f"{speed * payload / 1e6:9,.0f}" if payload else " " * 9
        (blocks, peak), (their_blocks, their_peak) = memory(ours), memory(theirs)
        kept = f"{blocks:.1f}, {peak:,.0f} ({their_blocks:.1f}, {their_peak:,.0f})"
        print(f"{name:<40}{speed:11,.0f}{1e6 / speed:9.2f}{moved}{times:7.1f}   {kept}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
