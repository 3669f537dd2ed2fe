"""The board: acts become messages, futures and timers. (What the rules decide is tests/relay's.)"""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.control import Control
from pyopenshell.model import Outcome, SshTarget
from pyopenshell.relay.outcomes import VERDICTS, Cause
from pyopenshell.relay.relays import Request
from pyopenshell.relay.sessions import Link, Session, Sessions
from pyopenshell.relay.switchboard import Switchboard
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

REQUEST = Request("box", "web", SshTarget("ssh-ed25519 AAAA"), "alice", ties=("t",))
SESSION = Session("s1", "box")


def board(*, interval: float = 60.0, grace: float = 60.0, claim: float = 60.0) -> Board:
    return Board(Switchboard(Sessions(interval, 3 * interval, grace), claim))


async def said(control: Control) -> pb.GatewayMessage:
    message = await control.next(60)
    assert message is not None
    return message


async def test_acceptance_is_the_first_word_even_where_opens_waited() -> None:
    books = board(interval=7.0)
    books.expect("box")
    line = books.open(REQUEST)
    control = books.connect(SESSION)
    accepted = (await said(control)).session_accepted
    assert accepted.session_id == "s1"
    assert accepted.heartbeat_interval.seconds == 7
    opened = (await said(control)).relay_open
    assert opened.channel_id == line.channel_id
    assert opened.ssh.ssh_authorized_key == "ssh-ed25519 AAAA"
    books.close()


async def test_a_claim_gives_the_far_end_with_what_it_announced() -> None:
    books = board()
    books.connect(SESSION)
    first, second = books.open(REQUEST), books.open(REQUEST)
    books.result(SESSION, pb.RelayOpenResult(channel_id=first.channel_id, success=True, features=[1]))
    call = object()
    assert books.claim(first.channel_id, "box", call, []) is first  # type: ignore[arg-type]
    books.claim(second.channel_id, "box", call, [2])  # type: ignore[arg-type]
    far = await first.claimed
    assert (far.call, far.features) == (call, frozenset({1}))
    assert (await second.claimed).features == frozenset({2})
    ended = []
    books.on_closed = lambda line, closed: ended.append((line.channel_id, VERDICTS[closed.cause].outcome))
    books.finish(first, Cause.BOTH_ENDED)
    books.finish(first, Cause.NEAR_LOST)
    assert (await first.over).cause is Cause.BOTH_ENDED
    assert ended == [(first.channel_id, Outcome.COMPLETED)]
    books.close()
    assert books.lines() == []


async def test_a_line_that_is_never_claimed_raises_what_the_caller_is_told() -> None:
    books = board(claim=0.01)
    control = books.connect(SESSION)
    line = books.open(REQUEST)
    with pytest.raises(OpenShellError) as caught:
        await line.claimed
    assert caught.value.code is Code.DEADLINE
    assert [(await said(control)).WhichOneof("payload") for _ in range(3)] == [
        "session_accepted",
        "relay_open",
        "relay_close",
    ]
    books.close()


async def test_a_line_that_ended_well_before_its_claim_is_cancelled() -> None:
    books = board()
    books.connect(SESSION)
    line = books.open(REQUEST)
    books.finish(line, Cause.BOTH_ENDED)
    assert line.claimed.cancelled()
    books.close()


async def test_the_grace_runs_out() -> None:
    books = board(grace=0.01)
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    books.on_grace_over = over.set_result
    books.connect(SESSION)
    line = books.open(REQUEST)
    books.disconnect(SESSION)
    with pytest.raises(OpenShellError) as caught:
        await line.claimed
    assert caught.value.code is Code.UNAVAILABLE
    assert await over == "box"
    books.close()


async def test_silence_ends_the_stream() -> None:
    books = board(interval=0.01)
    control = books.connect(SESSION)
    await said(control)
    while await control.next(60) is not None:
        pass
    assert control.ended is not None
    assert books.switchboard.sessions.link("box") is Link.GRACE
    books.close()


async def test_a_cut_reaches_what_hangs_on_it() -> None:
    books = board()
    control = books.connect(SESSION)
    line = books.open(REQUEST)
    books.cut("t", Cause.REVOKED)
    with pytest.raises(OpenShellError) as caught:
        await line.claimed
    assert caught.value.code is Code.UNAUTHENTICATED
    books.forget("box", "stopped")
    for _ in range(3):
        await said(control)
    assert await control.next(60) is None
    books.close()


async def test_idle_waits_for_the_last_line_but_not_for_ever() -> None:
    books = board()
    books.connect(SESSION)
    line = books.open(REQUEST)
    await books.idle(0)
    waiting = asyncio.ensure_future(books.idle(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    books.finish(line, Cause.NEAR_LOST)
    await waiting
    books.close()


async def test_a_while_after_the_last_line_it_is_idle() -> None:
    books = Board(Switchboard(Sessions(60.0, 180.0, 60.0), 60.0), idle_after=0.01)
    books.connect(SESSION)
    idle = asyncio.Event()
    books.on_idle = idle.set
    first, second = books.open(REQUEST), books.open(REQUEST)
    books.finish(first, Cause.BOTH_ENDED)
    assert books._idle is None
    books.finish(second, Cause.BOTH_ENDED)
    third = books.open(REQUEST)
    assert books._idle is None
    books.finish(third, Cause.BOTH_ENDED)
    await idle.wait()
    books.close()
    assert books._idle is None


async def test_closing_ends_all_lines_and_sessions() -> None:
    books = board()
    control = books.connect(SESSION)
    line = books.open(REQUEST)
    books.close()
    with pytest.raises(OpenShellError, match="stopping"):
        await line.claimed
    assert control.ended is not None
