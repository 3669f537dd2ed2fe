"""How relays end: every cause, with the outcome that is recorded and the code that the near side is answered with.

One table, so that a cause cannot be told to the caller as one thing and to the audit as another. COMPLETED alone has no
code: it is not an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Outcome


class Cause(StrEnum):
    """Why a relay ended."""

    BOTH_ENDED = "both ended"
    REFUSED = "refused"  # not admitted: nothing was dialled
    TARGET = "target"  # the supervisor could not dial it
    NO_SUPERVISOR = "no supervisor"  # none came within the grace
    UNCLAIMED = "unclaimed"  # nobody took it in time
    NEAR_LOST = "near lost"
    FAR_LOST = "far lost"
    REVOKED = "revoked"  # its token was revoked
    EXPIRED = "expired"  # its token ran out
    SANDBOX_GONE = "sandbox gone"  # stopped, deleted, or its main process ended
    GATEWAY_STOPS = "gateway stops"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a cause means: the recorded outcome, the code told to the near side, and the words for it."""

    outcome: Outcome
    code: Code | None
    words: str


VERDICTS: dict[Cause, Verdict] = {
    Cause.BOTH_ENDED: Verdict(Outcome.COMPLETED, None, ""),
    Cause.REFUSED: Verdict(Outcome.REFUSED, Code.EXHAUSTED, "the connection was refused"),
    Cause.TARGET: Verdict(Outcome.TARGET_FAILED, Code.UNAVAILABLE, "the sandbox could not connect"),
    Cause.NO_SUPERVISOR: Verdict(Outcome.TARGET_FAILED, Code.UNAVAILABLE, "its supervisor is not connected"),
    Cause.UNCLAIMED: Verdict(Outcome.TIMED_OUT, Code.DEADLINE, "its supervisor did not take the connection in time"),
    Cause.NEAR_LOST: Verdict(Outcome.BROKEN_NEAR, Code.BROKEN, "the caller's connection was lost"),
    Cause.FAR_LOST: Verdict(Outcome.BROKEN_FAR, Code.UNAVAILABLE, "the supervisor's connection was lost"),
    Cause.REVOKED: Verdict(Outcome.REVOKED, Code.UNAUTHENTICATED, "the session was revoked"),
    Cause.EXPIRED: Verdict(Outcome.REVOKED, Code.UNAUTHENTICATED, "the session has expired"),
    Cause.SANDBOX_GONE: Verdict(Outcome.REVOKED, Code.UNAVAILABLE, "the sandbox is no longer running"),
    Cause.GATEWAY_STOPS: Verdict(Outcome.BROKEN_FAR, Code.UNAVAILABLE, "the gateway is stopping"),
}


def error_for(cause: Cause, sandbox: str, detail: str = "", code: Code | None = None) -> OpenShellError:
    """What the near side is answered for this cause; `detail` and `code` came from further on, if at all."""
    verdict = VERDICTS[cause]
    if verdict.code is None:
        raise ValueError(f"{cause} is not an error")
    return OpenShellError(code or verdict.code, f"sandbox '{sandbox}': {verdict.words}{': ' if detail else ''}{detail}")
