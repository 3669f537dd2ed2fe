"""How often a peer may do what costs us and not it: a token bucket that is told the time.

RFC 9113 section 10.5 asks for limits on frames that are legal one by one and an attack by the million. Useful work can
pay for such frames: `earned` counts it, so a PING for every DATA frame is fine while PINGs alone are not.
"""

from __future__ import annotations

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Rate


class Allowance:
    """One counter of one connection, with a limit and a reason."""

    __slots__ = ("_earned", "_left", "_limit", "_now", "_rate", "what")

    def __init__(self, what: str, rate: Rate, now: float, limit: str = "") -> None:
        """`limit`: the field of `Limits` that `rate` is, for who counts."""
        self.what = what
        self._limit = limit
        self._rate = rate
        self._left = float(rate.burst)
        self._now = now
        self._earned = 0

    def spend(self, now: float, earned: int = 0) -> None:
        """Count one. `earned`: useful things so far in the connection's life. Raises ConnectionFault when over."""
        rate = self._rate
        grown = max(0.0, now - self._now) * rate.per_second + earned - self._earned
        left = min(float(rate.burst), self._left + grown)
        self._now = now
        self._earned = earned
        if left < 1:
            limit = f"{rate.burst} at once, {rate.per_second:g} a second"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many {self.what} (limit: {limit})", self._limit)
        self._left = left - 1

    def __repr__(self) -> str:
        return f"Allowance({self.what}: {self._left:.0f} of {self._rate.burst} left)"
