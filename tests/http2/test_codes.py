"""Unknown error codes are INTERNAL_ERROR (RFC 9113 section 7)."""

from __future__ import annotations

from pyopenshell.http2.codes import ErrorCode


def test_error_codes() -> None:
    assert [ErrorCode(value) for value in range(14)] == list(ErrorCode)
    assert ErrorCode(14) is ErrorCode(2**32 - 1) is ErrorCode.INTERNAL_ERROR
