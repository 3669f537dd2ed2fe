"""What both engines of `bench/engine.py` are given."""

from __future__ import annotations

from collections.abc import Callable

REQUEST = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":path", b"/openshell.v1.OpenShell/ForwardTcp"),
    (b":authority", b"127.0.0.1:8443"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"pyopenshell/0.1"),
    (b"authorization", b"Bearer " + b"t" * 200),
]
RESPONSE = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS = [(b"grpc-status", b"0")]

#: Messages sent in one step of `out`, so that the step itself does not show.
MESSAGES = 64

#: Does some units of work; returns how many, and all that was made for their owner.
Step = Callable[[], tuple[int, object]]
