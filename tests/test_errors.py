"""Proof of `errors.py`: the list is closed and every code has an exit status."""

from __future__ import annotations

import pytest

from pyopenshell.errors import EXIT_CODES, Code, OpenShellError


def test_every_code_has_an_exit_status() -> None:
    assert set(EXIT_CODES) == set(Code)
    assert all(1 <= status <= 255 for status in EXIT_CODES.values())


@pytest.mark.parametrize(
    ("code", "status"), [(Code.INVALID, 2), (Code.DEADLINE, 124), (Code.BROKEN, 255), (Code.NOT_FOUND, 1)]
)
def test_exit_statuses_that_scripts_rely_on(code: Code, status: int) -> None:
    assert EXIT_CODES[code] == status


def test_text_holds_message_and_hint() -> None:
    error = OpenShellError(Code.NOT_FOUND, "no sandbox 'web'", hint="see 'openshell sandbox list'")
    assert str(error) == "no sandbox 'web' (see 'openshell sandbox list')"
    assert repr(error) == "OpenShellError(not_found, \"no sandbox 'web'\")"
    assert str(OpenShellError(Code.INTERNAL, "x")) == "x"
