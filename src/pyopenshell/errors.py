"""The one closed list of error codes, and the one exception that carries them.

Every failure that a person or a program can meet is an `OpenShellError` with one of these codes. Each border translates
once: `wire/status.py` to and from gRPC status, `cli/` to an exit code. A message says what failed and on which hop;
the hint says what to do next. Neither ever holds a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What kind of failure it is; the words are those of the design."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    BROKEN = "broken"
    INTERNAL = "internal"


EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_TIMEOUT = 124  # coreutils timeout(1)
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell tells it
EXIT_CONNECTION_LOST = 255  # ssh(1)

#: Exit status of the command line for each code (sysexits are not used: scripts of this field expect 1 and 2).
EXIT_CODES: dict[Code, int] = {
    Code.INVALID: EXIT_USAGE,
    Code.UNAUTHENTICATED: EXIT_ERROR,
    Code.FORBIDDEN: EXIT_ERROR,
    Code.NOT_FOUND: EXIT_ERROR,
    Code.CONFLICT: EXIT_ERROR,
    Code.PRECONDITION: EXIT_ERROR,
    Code.EXHAUSTED: EXIT_ERROR,
    Code.UNAVAILABLE: EXIT_ERROR,
    Code.DEADLINE: EXIT_TIMEOUT,
    Code.BROKEN: EXIT_CONNECTION_LOST,
    Code.INTERNAL: EXIT_ERROR,
}


class OpenShellError(Exception):
    """A failure with a code, a message for people and, where there is one, the next step.

    For example `OpenShellError(Code.NOT_FOUND, "sandbox 'web' does not exist", hint="see 'openshell sandbox list'")`.
    """

    def __init__(self, code: Code, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __repr__(self) -> str:
        return f"OpenShellError({self.code.value}, {self.message!r})"
