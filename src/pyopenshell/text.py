"""Text that others chose, made safe to show: control characters out, what looks like a secret out.

For log lines, audit events and terminals. A name, an error of a peer or a line of output may hold an escape sequence that a
terminal would obey, a line feed that makes one log line look like two, a bidirectional override that shows other words than
are there, or a token that somebody pasted.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

#: C0 and C1 controls and DEL, line and paragraph separators, bidirectional controls (UAX #9), zero-width and byte-order
#: marks, and lone surrogates (which no UTF-8 file can hold).
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

#: What a text must hold, in lower case, before the pattern behind it is tried (most texts hold none of these).
_SECRETS = (
    ("os", re.compile(r"\bos[ist]_[A-Za-z0-9_-]{16,}"), HIDDEN),  # tokens and invitations of ours
    (
        "ey",
        re.compile(r"(?<![A-Za-z0-9_-])ey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
        HIDDEN,
    ),  # a JWT: base64url of '{"'
    (
        "private key-----",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]*PRIVATE KEY-----)?"),
        HIDDEN,
    ),
    ("bearer ", re.compile(r"(?i)(\bbearer )[A-Za-z0-9._~+/=-]{8,}"), rf"\1{HIDDEN}"),  # RFC 6750 section 2.1
    ("://", re.compile(r"(://)[^/\s:@]*:[^/\s@]+(?=@)"), rf"\1{HIDDEN}"),  # user:password@ in a URL
    ("=", re.compile(r"(?i)((?:password|passwd|token|secret|api_?key)=)[^\s&;,'\"]+"), rf"\1{HIDDEN}"),
)


def clean(text: str, limit: int = 0) -> str:
    """`text` with each control character as `\\xNN` or `\\uNNNN`, cut to `limit` characters (0 = none) with a sign of it."""
    if limit and len(text) > limit:
        text = f"{text[:limit]}… ({len(text)} characters)"
    return _CONTROL.sub(_escape, text)


def redact(text: str) -> str:
    """`text` with `[hidden]` in the place of what has the shape of a secret: tokens, JWTs, private keys, passwords."""
    lower = text.lower()
    for gate, pattern, replacement in _SECRETS:
        if gate in lower:
            text = pattern.sub(replacement, text)
    return text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
