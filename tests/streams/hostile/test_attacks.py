"""Every attack of tests/support/attacks.py on a server in a process of its own, beside a friend whose calls go on.

Held for each: it ends as it must, it is counted under its name, the server reads nothing more from the attacker after
that, its memory stays within the attack's bound, every call of the friend succeeds, and between the friend's question
and its answer the server turns to the attacker a bounded number of times.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyopenshell.streams.buffers import BUFFER_BYTES
from tests.support.attacks import ATTACKS, Attack
from tests.support.hostile import Friend, playing, serving
from tests.support.stream_pairs import Tls

#: Calls before the attack, so that everything is loaded; and at least so many after it.
CALLS = 20
#: Reads of others between a question and its answer: the question is read in one turn of the loop, the handler runs in the
#: next, and each turn reads once from every connection, of which there is one more. With TLS, a read may go on in a turn of
#: its own (sslproto.SSLProtocol._do_read).
TURNS = 4
#: Bytes that TLS hands over after the end, which nobody looks at: what it had read when it says good-bye (_do_flush).
AFTER_TLS = 2 * BUFFER_BYTES

CASES = [
    pytest.param(attack, secure, id=f"{attack.name}{', TLS' if secure else ''}".replace(" ", "-"))
    for attack in ATTACKS
    for secure in (False, True)
    if attack.tls in (None, secure)
]


@pytest.mark.parametrize(("attack", "secure"), CASES)
async def test_an_attack_ends_as_it_must_and_a_friend_goes_on(
    attack: Attack, secure: bool, tls: Tls, pki: Path
) -> None:
    used = tls if secure else None
    async with serving(attack.options, pki if secure else None) as server, Friend.of(server, used) as friend:
        for _ in range(CALLS):
            await friend.call()
        server.mark()
        calling = asyncio.create_task(friend.go_on())
        async with playing(attack, server.address, used) as how:
            assert how == attack.ends
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
            assert calling.cancelled(), "a call of the friend failed"
            for _ in range(CALLS):
                await friend.call()
            report = await server.report()
            growth = server.growth
        print(f"{attack.name}: {growth:.1f} MiB, {len(friend.seconds)} calls, {report}")
        assert growth <= attack.memory
        assert max(friend.between) <= TURNS
        assert report["after_end"] <= (AFTER_TLS if secure else 0)
        assert report["most"] <= BUFFER_BYTES
        if attack.kind:
            assert report["hits"][attack.kind] >= 1
        else:
            assert not report["hits"]
