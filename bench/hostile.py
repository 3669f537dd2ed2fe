"""What a hostile peer costs: code, memory, processor time, and the round trip of another connection alone and beside it.

`python bench/hostile.py [--tls] [--only NAME]` prints one line an attack. Server, attacker and the well-behaved
connection are three processes on loopback. An attack that is over at once is made again and again for SECONDS, each
time on a new connection, so that there is a "during".
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.attacks import ATTACKS, Attack
from tests.support.hostile import Friend, Server, serving
from tests.support.stream_pairs import Tls, make_pki, make_tls

#: Calls for a percentile when alone, and the shortest "during".
CALLS = 500
SECONDS = 2.0


async def attacking(attack: Attack, server: Server, pki: Path | None, until: float) -> tuple[str, int]:
    """Attacks, one after the other, in a process of their own; how they ended, and how many there were."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.hostile", attack.name, str(server.address[1]), str(pki or "")),
        str(max(0.0, until - time.time())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    assert process.stdin is not None
    how, _, times = (await process.stdout.readline()).decode().strip().rpartition(" ")
    process.stdin.close()
    await process.wait()
    return how, int(times)


def percentiles(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"{cuts[49] * 1e3:7.2f} {cuts[98] * 1e3:7.2f}"


async def measure(attack: Attack, pki: Path, tls: Tls | None) -> None:
    """One line."""
    folder = pki if tls else None
    async with serving(attack.options, folder) as server, Friend.of(server, tls) as friend:
        for _ in range(CALLS):
            await friend.call()
        friend.seconds.clear()
        for _ in range(CALLS):
            await friend.call()
        alone = percentiles(friend.seconds)
        before = server.cpu
        how, times = await attacking(attack, server, folder, time.time() + SECONDS / 2)
        spent = (server.cpu - before) / times
        friend.seconds.clear()
        server.mark()
        calling = asyncio.create_task(friend.go_on())
        await attacking(attack, server, folder, time.time() + SECONDS)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        assert calling.cancelled(), "a call failed"
        print(
            f"{attack.name:28} {how:31} {times:5} {server.growth:7.1f} {spent * 1e3:8.1f}"
            f"   {alone}   {percentiles(friend.seconds)}",
            flush=True,
        )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(f"{'':66}{'memory':>7} {'CPU':>8}   {'alone, ms':>15}   {'beside it, ms':>15}")
    print(f"{'attack':28} {'ends with':31} {'times':>5} {'MiB':>7} {'ms each':>8}{2 * f'   {chr(32) * 4}p50     p99'}")
    with tempfile.TemporaryDirectory() as folder:
        pki = make_pki(Path(folder))
        for attack in ATTACKS:
            if options.only in attack.name and attack.tls in (None, options.tls):
                await measure(attack, pki, make_tls(pki) if options.tls else None)


if __name__ == "__main__":
    asyncio.run(main())
