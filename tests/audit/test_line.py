from __future__ import annotations

import pytest

from pyopenshell.audit import ocsf
from pyopenshell.audit.line import as_line
from pyopenshell.errors import Code
from pyopenshell.model import Outcome, SshTarget


def test_a_relay_from_its_opening_to_its_end(source, relay) -> None:
    (opened,) = ocsf.relay_opened(source, 0.25, relay())
    assert as_line(opened) == (
        "1970-01-01T00:00:00.250Z NETWORK:OPEN success relay to tcp 127.0.0.1:80 opened (web)"
        " by=alice from=10.0.0.9 id=chan-1"
    )
    (closed,) = ocsf.relay_closed(
        source,
        2.25,
        relay(address="unix"),
        Outcome.BROKEN_FAR,
        opened_at=0.25,
        bytes_far=1,
        bytes_near=2,
        reason="it died",
    )
    assert as_line(closed) == (
        "1970-01-01T00:00:02.250Z NETWORK:RESET failure relay to tcp 127.0.0.1:80 ended: broken_far, 1 bytes far,"
        ' 2 bytes near (web) by=alice from=unix id=chan-1 code=broken_far why="it died" ms=2000'
    )


def test_the_other_classes(source, relay, alice) -> None:
    ssh = ocsf.relay_opened(source, 0.0, relay(target=SshTarget()))[1]
    lines = [
        as_line(event)
        for event in (
            ssh,
            ocsf.exec_started(source, 0.0, relay(), ["sh", "-c", 'echo "x"']),
            ocsf.token_created(source, 0.0, alice, "id-1", "ci", []),
            ocsf.caller_refused(source, 0.0, "ExecSandbox", Code.FORBIDDEN, "no", ""),
            ocsf.events_lost(source, 0.0, 3),
        )
    ]
    assert [line.split(" ")[1] for line in lines] == [
        "SSH:OPEN", "PROCESS:LAUNCH", "ENTITY:CREATE", "AUTH:LOGON", "BASE:OTHER",
    ]  # fmt: skip
    assert lines[1].endswith(r'cmd="sh -c echo \"x\""')


@pytest.mark.parametrize("name", ["web\nINFO forged", "web by=root", 'web" by="root'])
def test_one_event_is_one_line_and_no_text_makes_up_a_field(source, relay, name: str) -> None:
    line = as_line(ocsf.relay_refused(source, 0.0, relay(channel_id=name, sandbox="s"), Code.INVALID, name)[0])
    assert len(line.splitlines()) == 1
    assert line.count(" by=alice") == 1
    assert " id=web" not in line
