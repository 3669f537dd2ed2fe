"""Small TCP segments for a path that swallows large packets and says nothing: a "black hole" (RFC 2923 section 2.1).

A router that may not forward a packet of full size has to say so (ICMP, RFC 1191); where that word is filtered, everything
small passes and the first full segment never arrives, so a connection opens well and then is silent for ever. TCP can find
the size by probing (RFC 4821), but a process cannot ask for that: on Linux it is a setting of the machine
(net.ipv4.tcp_mtu_probing). What a process can do is to begin again with segments that every path must carry:

| what happened                                        | what follows                                               |
|------------------------------------------------------|------------------------------------------------------------|
| the TLS handshake is stuck for HANDSHAKE_PATIENCE    | a second attempt with small ones, within the same deadline |
| a connection ended while it was silent (liveness.py) | the next one has small ones                                |
| nothing of that                                      | full size                                                  |

Once learned it stays for the life of this object: small segments cost 1 % of a line, being wrong costs half a minute.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

#: What a peer that names no size is taken to accept over IPv6 (RFC 9293 section 3.7.1): the smallest MTU of any link, 1,280
#: (RFC 8200 section 5), less both headers. RFC 8899 takes the same size for granted: BASE_PLPMTU, 1,200, and its headers.
SMALL_SEGMENT = 1220
#: Seconds without an end of the TLS handshake. It takes two round trips, 1.2 s by way of two geostationary satellites, and
#: one retransmission after 1 s (RFC 6298 section 2) is in it.
HANDSHAKE_PATIENCE = 4.0


class Segments:
    """What is known of one path. `learned` is told once, when small segments turn out to be needed."""

    def __init__(self, *, small: bool = False, learned: Callable[[], None] = lambda: None) -> None:
        self.small = small
        self._learned = learned

    def __repr__(self) -> str:
        return f"<Segments {'small' if self.small else 'of full size'}>"

    def ended(self, silent: bool) -> None:
        """A connection is over; `silent`: bytes of ours, or an answer to us, did not arrive."""
        if silent and not self.small:
            self.small = True
            self._learned()


def keep_small(sock: socket.socket) -> None:
    """Segments of at most SMALL_SEGMENT bytes both ways, on a socket that is not connected yet: TCP_MAXSEG, tcp(7).

    Where the platform refuses (on macOS nobody may raise it over 512 before the connection is there), all stays as it is.
    """
    with suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
