"""The line: what is read, what is refused, and that no error shows the code."""

from __future__ import annotations

import pytest

from pyopenshell.enrol.invitation import ADDRESSES_MAX, LINE_MAX, Address, Invitation, Invited, looks_like_line
from pyopenshell.errors import Code, OpenShellError

CODE = "osi_abcdefghijklmnopqrstuvwxyz234567"
PRINT = "0123456789abcdef" * 4
LINE = f"os-user://lab.example:17670/{CODE}.{PRINT}"


def test_a_line_is_read_and_written() -> None:
    found = Invitation.parse(f"  {LINE}\n")
    assert found == Invitation(Invited.USER, (Address("lab.example", 17670),), CODE, PRINT)
    assert str(found) == LINE
    assert Invitation.of(Invited.USER, found.addresses, CODE, bytes.fromhex(PRINT)) == found


def test_addresses_are_names_and_literals_of_both_kinds() -> None:
    found = Invitation.parse(
        LINE.replace("lab.example:17670", "[2001:db8::1]:1,192.0.2.7:2,lab:3").replace("user", "host")
    )
    assert found.role is Invited.HOST
    assert [(one.host, one.port) for one in found.addresses] == [("2001:db8::1", 1), ("192.0.2.7", 2), ("lab", 3)]
    assert Invitation.parse(str(found)) == found


def test_the_code_is_out_of_the_representation() -> None:
    assert CODE not in repr(Invitation.parse(LINE))


def test_it_needs_no_quotes_in_a_shell() -> None:
    import shlex

    assert shlex.quote(LINE.replace("://", "").replace(",", "")) == LINE.replace("://", "").replace(",", "")
    assert not set(LINE) & set(" \t'\"\\$`*?#~=%!&;|<>(){}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "not an invitation"),
        ("https://lab.example:17670", "not an invitation"),
        (LINE[:-1], "damaged or cut off"),
        (LINE[: LINE.rindex(".") + 1], "damaged or cut off"),
        (LINE[: LINE.rindex(".")], "not an invitation"),
        (LINE + "0", "damaged or cut off"),
        (LINE.upper(), "not an invitation"),
        (LINE.replace("osi_a", "osi_A"), "code is damaged"),
        (LINE.replace("osi_", "ost_"), "code is damaged"),
        (LINE.replace("567.", "56."), "code is damaged"),
        (LINE.replace("os-user", "os-queen"), "not known here"),
        (LINE.replace(":17670", ""), "address"),
        (LINE.replace("17670", "0"), "port 0 is out of range"),
        (LINE.replace("17670", "65536"), "port 65536 is out of range"),
        (LINE.replace("lab.example", ""), "address"),
        (LINE.replace("lab.example", "-lab"), "address"),
        (LINE.replace("lab.example", "[fe80::1%eth0]"), "address"),
        (LINE.replace("lab.example", "[1.2.3.4]"), "address"),
        (LINE.replace("lab.example:17670", "lab:1,,lab:2"), "address"),
        (LINE.replace("lab.example:17670", ",".join(["lab:1"] * (ADDRESSES_MAX + 1))), f"over {ADDRESSES_MAX} addresses"),
        (LINE.replace("lab.example", "x" * LINE_MAX), "not an invitation"),
        (LINE + "\n" + LINE, "not an invitation"),
        (LINE.replace("lab", "läb"), "address"),
        (LINE.replace("0123", "٠123"), "fingerprint"),
    ],
)  # fmt: skip
def test_bad_lines_are_refused_and_show_nothing(line: str, told: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        Invitation.parse(line)
    assert caught.value.code is Code.INVALID
    assert told in str(caught.value)
    assert "abcdefghij" not in str(caught.value).lower()


def test_a_line_for_somebody_else_says_who_takes_it() -> None:
    host = Invitation.parse(LINE.replace("os-user", "os-host"))
    host.check_role(Invited.HOST)
    with pytest.raises(OpenShellError, match=r"for a host, not for a user.*openshell-supervisor serve"):
        host.check_role(Invited.USER)
    with pytest.raises(OpenShellError, match=r"for a user, not for a host.*gateway add"):
        Invitation.parse(LINE).check_role(Invited.HOST)


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("lab", False), ("192.0.2.1", False)],
)
def test_loopback_is_told(host: str, only_here: bool) -> None:
    assert Address(host, 1).loopback is only_here


def test_what_is_meant_to_be_a_line() -> None:
    assert looks_like_line(LINE) and looks_like_line(" os-nonsense://x")
    assert not looks_like_line("lab") and not looks_like_line("os-lab")
