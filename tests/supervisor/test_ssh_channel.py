"""The environment's allow list. SFTP and refused subsystems are proved in test_ssh_server.py."""

from __future__ import annotations

import pytest

from pyopenshell.supervisor.ssh_channel import ENV_MAX, ENV_SIZE_MAX, SessionChannel, may_set


@pytest.mark.parametrize("name", [b"LANG", b"LC_ALL", b"TERM", b"COLORTERM", b"OPENSHELL_X", b"LC_1"])
def test_allowed_names(name: bytes) -> None:
    assert may_set(name, b"value")


@pytest.mark.parametrize(
    "name",
    [b"PATH", b"LD_PRELOAD", b"LANGUAGE", b"", b"LC_A=B", b"LC_\n", b"LC_\xc3\xa9", b"LC_" + b"x" * ENV_SIZE_MAX],
)
def test_names_that_are_refused(name: bytes) -> None:
    assert not may_set(name, b"value")


@pytest.mark.parametrize("value", [b"a\0b", b"x" * (ENV_SIZE_MAX + 1)])
def test_values_that_are_refused(value: bytes) -> None:
    assert not may_set(b"LANG", value)


class _Packet:
    def __init__(self, *strings: bytes) -> None:
        self.strings = list(strings)

    def get_string(self) -> bytes:
        return self.strings.pop(0)

    def check_end(self) -> None:
        assert not self.strings


def test_ten_thousand_requests_are_bounded() -> None:
    channel = SessionChannel.__new__(SessionChannel)
    channel._env = {}
    answers = [channel._process_env_request(_Packet(b"LC_%d" % number, b"x")) for number in range(10_000)]  # type: ignore[arg-type]
    assert sum(answers) == len(channel._env) == ENV_MAX
    assert channel._process_env_request(_Packet(b"LC_1", b"y"))  # type: ignore[arg-type]
    assert channel._env[b"LC_1"] == b"y"
