"""Every number that bounds a peer, with its reason and its precedent.

Two kinds. Sizes are absolute. Rates are an `Allowance`: so many at once, so many a second for ever; a peer over it has
its connection ended with ENHANCE_YOUR_CALM (RFC 9113 section 10.5). A well-behaved gRPC peer comes near none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyopenshell.http2.codes import DEFAULT_WINDOW, MAX_MAX_FRAME, MAX_WINDOW, MIN_MAX_FRAME


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` at once; the allowance grows again by `per_second` a second up to `burst`."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection allows its peer, and what it keeps for itself. Sizes in bytes.

    Raises ValueError when a size cannot be announced.
    """

    #: Largest frame that we take. A DATA frame of ours is at most a `turn`, and beyond 64 KiB larger ones gain nothing
    #: (bench/engine.py). Not more than a new stream's window, so that every frame we announce can be sent.
    max_frame: int = 2**16
    #: Window of a new stream until `Connection.set_window`: what an opener that nobody has admitted may make us hold.
    #: Not below the protocol's default, because a smaller one cannot be promised before the peer has read our SETTINGS.
    initial_window: int = 2**16
    #: Streams that the peer may have open at once. grpc-go and Envoy announce 100 to 2^31-1; a relay of 1,000 forwards
    #: for one sandbox (the gateway's ceiling) rides on one connection of its supervisor, and needs a control stream too.
    max_concurrent_streams: int = 1_100
    #: Decoded header list as section 6.5.2 counts it (32 bytes a field). gRPC core refuses metadata over 16 KiB; our own
    #: (a JWT) stays below 4 KiB.
    max_header_list: int = 2**14
    #: Encoded header block, in one frame (over it: FRAME_SIZE_ERROR, section 4.2) and over all its CONTINUATION frames
    #: (over it: ENHANCE_YOUR_CALM). Compression need not make a block longer than its list.
    max_header_block: int = 2**14
    #: CONTINUATION frames of one block. A block of 16 KiB fits in one frame, and a peer that splits it anyway needs few;
    #: CVE-2024-27316 and its kin sent millions.
    max_continuations: int = 16
    #: Dynamic table of HPACK in each direction: the protocol's default, whatever the peer offers (memory of ours).
    header_table: int = 4_096
    #: Parameters in one SETTINGS frame. Six exist; extensions have added about ten more in ten years.
    max_settings: int = 64
    #: Debug data of a GOAWAY frame, for a log line.
    max_goaway: int = 2**14
    #: 1xx responses before the real one. Real servers send one or two (100, 103).
    max_informational: int = 16
    #: Streams whose end we remember, to tell a late frame from a forbidden one (section 5.1, "closed").
    max_closed: int = 1_024
    #: Frames that the peer made us queue (acknowledgements, resets) and does not read. nghttp2 stops at 1,000
    #: acknowledgements, Go at 10,000 frames; 3,855 PING acknowledgements fit.
    max_answers: int = 2**16
    #: DATA bytes of one stream before the next stream has its turn.
    turn: int = 2**16

    #: SETTINGS frames, acknowledgements that nobody asked for included. Real peers send one to three in a connection's life.
    settings: Rate = Rate(burst=100, per_second=1)
    #: PING frames, and acknowledgements of PING. Keepalives are seconds apart, but gRPC measures bandwidth with a PING a
    #: round trip: so every DATA frame with payload, in either direction, pays for one more, and every PING of ours.
    pings: Rate = Rate(burst=1_000, per_second=100)
    #: WINDOW_UPDATE frames. Every KiB of DATA that we send pays for one more, so only windows opened by crumbs count.
    window_updates: Rate = Rate(burst=4_000, per_second=1_000)
    #: Streams that the peer resets or makes us reset (CVE-2023-44487 rapid reset, CVE-2025-8671 MadeYouReset). nghttp2
    #: allows 1,000 and 33 a second; a forward whose user aborts each connection needs a little more.
    resets: Rate = Rate(burst=1_000, per_second=100)
    #: PRIORITY frames, deprecated and without effect here (section 5.3.2). Browsers send a handful.
    priorities: Rate = Rate(burst=100, per_second=10)
    #: DATA frames without a byte of data and without END_STREAM (CVE-2019-9518).
    empty_data: Rate = Rate(burst=100, per_second=10)
    #: HEADERS and DATA on streams that we reset, which are ignored (section 5.1): no more than what was on the way when we
    #: did. nghttp2 allows 10,000 of what it calls glitches.
    late_frames: Rate = Rate(burst=10_000, per_second=1_000)
    #: Frames of unknown type (section 5.5: ignored) and GOAWAY frames.
    odd_frames: Rate = Rate(burst=100, per_second=10)

    def __post_init__(self) -> None:
        if not MIN_MAX_FRAME <= self.max_frame <= MAX_MAX_FRAME:
            raise ValueError(f"max_frame {self.max_frame} is outside {MIN_MAX_FRAME}..{MAX_MAX_FRAME}")
        if not DEFAULT_WINDOW <= self.initial_window <= MAX_WINDOW:
            raise ValueError(f"initial_window {self.initial_window} is outside {DEFAULT_WINDOW}..{MAX_WINDOW}")
