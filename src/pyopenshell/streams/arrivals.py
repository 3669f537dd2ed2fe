"""How many connections of one peer may come and prove nothing: a bucket that every new one takes from.

Whoever is let in (`Call.known`) gives its share back, so people and supervisors may connect as often as they like; a peer
that only connects has BURST at first and RATE a second for ever. What a new connection may cost before anybody vouches for
it (a TLS handshake, a hundred calls) so has a rate, beside the places that bound how many are there at once.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Connections that prove nothing: all the places of one peer (accepting.Places), then some a second. A load balancer that
#: looks whether the port is open does so every two seconds (haproxy, `inter`).
BURST = 512
RATE = 16.0
#: Peers that are remembered; a flood from more addresses than that is bounded by the places of all.
PEERS = 4_096


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Arrivals:
    """The buckets of all peers, by key. `now` is seconds of any steady clock."""

    def __init__(self, burst: int = BURST, rate: float = RATE) -> None:
        self._burst = burst
        self._rate = rate
        self._buckets: dict[str, _Bucket] = {}

    def may(self, key: str, now: float) -> bool:
        """Whether one more of this peer may come; it takes its share."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[key] = _Bucket(self._burst, now)
        self._fill(bucket, now)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def proved(self, key: str) -> None:
        """One that came was let in: its share is given back."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.left = min(self._burst, bucket.left + 1)

    def _fill(self, bucket: _Bucket, now: float) -> None:
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now

    def _make_room(self, now: float) -> None:
        """Forget those that have all of it again and, where there are too many others, the oldest."""
        if len(self._buckets) < PEERS:
            return
        for key, bucket in tuple(self._buckets.items()):
            self._fill(bucket, now)
            if bucket.left >= self._burst:
                del self._buckets[key]
        if len(self._buckets) >= PEERS:
            del self._buckets[next(iter(self._buckets))]

    def __len__(self) -> int:
        return len(self._buckets)
