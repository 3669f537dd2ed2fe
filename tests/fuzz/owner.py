"""An owner who does anything that an owner may: opens, answers, sends, reads, resets and leaves, in any order.

What the engine refuses, and with which error, is told by the model. `server` and `client` are targets.
"""

from __future__ import annotations

from pyopenshell.http2 import Draining, ErrorCode, Header, LocalError, StreamGone, TooManyStreams
from tests.fuzz.choices import Step, steps
from tests.fuzz.grammar import LENGTHS, REQUESTS, RESPONSES, STREAMS, TRAILERS
from tests.fuzz.model import MOST, Stream
from tests.fuzz.wire import CUTS, World

OWNER_CODES = (ErrorCode.CANCEL, ErrorCode.NO_ERROR, ErrorCode.INTERNAL_ERROR)
WINDOWS = (1, 3, 100, 65_535, 70_000, 2**20, MOST)


class Owner(World):
    """A world with somebody in it."""

    def act(self, step: Step) -> None:
        """One thing that the owner does, and is refused where the model says so."""
        what = step.what % 16
        live = sorted(self.model.live)
        stream_id = live[step.byte() % len(live)] if live and what != 15 else step.pick(STREAMS)
        if what < 3 and self.client:
            self._open(step)
        elif what < 3:
            self._head(step, stream_id, RESPONSES)
        elif what < 7:
            self._send(step, stream_id)
        elif what == 7:
            self._head(step, stream_id, TRAILERS)
        elif what == 8:
            self._reset(stream_id, step.pick(OWNER_CODES))
        elif what == 9:
            self._set_window(stream_id, step.pick(WINDOWS))
        elif what < 12:
            self.read(step.pick((0, 0, 7, 1_000)))
        elif what == 12:
            self.engine.ping(b"ourping!")
            self.model.pings_sent += 1
            self.model.answers.append(("ping", b"ourping!"))
        elif what == 13 and not self.client and step.flip(2):
            self._allow(step.byte() % 8)
        elif what == 13 and step.flip(4):
            self._leave(step)
        elif what == 14:
            self.drain()
        else:
            self._send(step, stream_id)
        if not self.over:
            self.flush(0)

    def _refused(self, act: object, expected: type[LocalError] | None, *arguments: object, **options: object) -> bool:
        try:
            act(*arguments, **options)  # type: ignore[operator]
        except LocalError as error:
            assert type(error) is expected, f"{error!r}, expected {expected}"
            return True
        assert expected is None, f"{expected} is not raised"
        return False

    def _too_long(self, headers: list[Header]) -> bool:
        size = sum(32 + len(name) + len(value) for name, value in headers)
        return self.model.list_max is not None and size > self.model.list_max

    def _open(self, step: Step) -> None:
        model = self.model
        headers, end, extra = step.pick(REQUESTS), step.flip(3), step.byte()
        if extra & 1:
            headers = [*headers, (b"x-%d" % (extra >> 5), b"%d" % extra)]
        expected: type[LocalError] | None = None
        if model.stage not in ("running", "last call"):
            expected = Draining
        elif len(model.live) >= model.max_streams:
            expected = TooManyStreams
        elif self._too_long(headers):
            expected = LocalError
        if self._refused(self.engine.open_stream, expected, headers, end):
            return
        stream_id = model.newest + 2 if model.newest else 1
        model.newest = stream_id
        self.peer.opened.append(stream_id)
        window = model.limits.initial_window
        model.live[stream_id] = Stream(stream_id, window, window, model.initial, ending=end)
        model.answers.append(("headers", stream_id, headers, end))

    def _head(self, step: Step, stream_id: int, lists: list[list[Header]]) -> None:
        stream = self.model.live.get(stream_id)
        headers, end, extra = step.pick(lists), step.flip(3) or lists is TRAILERS, step.byte()
        if extra & 1:
            headers = [*headers, (b"x-%d" % (extra >> 5), b"%d" % extra)]
        expected: type[LocalError] | None = None
        if stream is None:
            expected = StreamGone
        elif stream.ending or self._too_long(headers) or (stream.sent_headers and not end):
            expected = LocalError
        if self._refused(self.engine.send_headers, expected, stream_id, headers, end):
            return
        assert stream is not None
        stream.ending = end
        if stream.sent_headers:
            stream.trailers = headers
        else:
            self.model.answers.append(("headers", stream_id, headers, end))

    def _send(self, step: Step, stream_id: int) -> None:
        stream = self.model.live.get(stream_id)
        length, end, mark = step.pick(LENGTHS), step.flip(4), step.byte()
        body = bytes([mark, mark ^ 1]) * (length // 2) + bytes(length % 2)
        at = len(body) // 3
        expected: type[LocalError] | None = None
        if stream is None:
            expected = StreamGone
        elif stream.ending or not stream.sent_headers:
            expected = LocalError
        if self._refused(
            self.engine.send_data, expected, stream_id, body[:at], memoryview(body)[at:], bytearray(), end_stream=end
        ):
            return
        assert stream is not None
        self.given[stream_id] += body
        stream.queued += length
        stream.ending = end

    def _reset(self, stream_id: int, code: ErrorCode) -> None:
        stream = self.model.live.get(stream_id)
        self.engine.reset(stream_id, code)
        if stream is None:
            return
        if code is ErrorCode.NO_ERROR and stream.ending and stream.local:
            stream.leaving = True
        else:
            self.model.answers.append(("rst", stream_id, code))
            self.model.close(stream_id, "us")

    def _set_window(self, stream_id: int, size: int) -> None:
        stream = self.model.live.get(stream_id)
        self.engine.set_window(stream_id, size)
        if stream is not None:
            stream.size = size

    def _allow(self, n: int) -> None:
        """The server lets in more streams at once."""
        self.engine.allow_streams(n)
        if n > self.model.most:
            self.model.most = n
            self.model.acks += 1
            self.model.answers.append(("settings", bytes([0, 3, 0, 0, 0, n])))

    def _leave(self, step: Step) -> None:
        model, code = self.model, step.pick((ErrorCode.NO_ERROR, ErrorCode.NO_ERROR, ErrorCode.INTERNAL_ERROR))
        self.engine.goaway(code, "bye")
        if code is not ErrorCode.NO_ERROR:
            model.die(code)
            self.hear(self.engine.events())
        elif model.stage == "running" and self.client:
            model.stage = "draining"
            model.answers.append(("goaway", 0, code))
        elif model.stage == "running":
            model.stage = "last call"
            model.answers += [("goaway", MOST, code), ("ping", b"lastcall")]


def run(program: bytes, client: bool) -> None:
    """Run a program; raises AssertionError where the engine is wrong."""
    program_steps = steps(program)
    world = Owner(client, next(program_steps, Step(b"")))
    if client and program[1:2] != b"\0":  # a server has nothing to say before there is a stream
        world.act(Step(bytes(3) + program[2:4]))
    for step in program_steps:
        if world.over:
            return
        what = step.what % 128
        if what < 64:
            world.wire += world.peer.say(step)
            if what < 32:
                world.deliver(step.pick(CUTS))
        elif what < 72:
            world.deliver(step.pick(CUTS))
        elif what < 120:
            if world.wire:
                world.deliver(())
            if not world.over:
                world.act(step)
        elif what < 127:
            if world.wire:
                world.deliver(())
            if not world.over:
                world.flush(step.pick(LENGTHS))
        elif step.flip(4):
            world.wire += step.rest
            world.eof()
            return
    if not world.over:
        world.deliver(())
    if not world.over:
        world.read(0)
        world.flush(0)
        world.drain()
    if not world.over:
        world.eof()


def server(program: bytes) -> None:
    """The engine is the server."""
    run(program, client=False)


def client(program: bytes) -> None:
    """The engine is the client."""
    run(program, client=True)
