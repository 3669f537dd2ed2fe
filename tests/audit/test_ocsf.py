from __future__ import annotations

import json

import pytest

from pyopenshell.audit import ocsf
from pyopenshell.errors import Code
from pyopenshell.model import ExecTarget, FilesTarget, Outcome, SshTarget, TcpTarget

NOW = 1000.5
TOKEN = "ost_" + "a" * 43


def test_a_relay_opened(source, relay, whole) -> None:
    (event,) = ocsf.relay_opened(source, NOW, relay())
    whole(event)
    assert (event["type_uid"], event["status"], event["time"]) == (400101, "Success", 1000500)
    assert event["src_endpoint"] == {"ip": "10.0.0.9", "port": 4711}
    assert event["dst_endpoint"] == {
        "uid": "sb-1", "name": "web", "svc_name": "tcp 127.0.0.1:80", "ip": "127.0.0.1", "port": 80,
    }  # fmt: skip
    assert event["connection_info"]["uid"] == "chan-1"
    assert event["actor"]["user"] == {"uid": "alice", "name": "alice", "type_id": 2, "groups": [{"name": "admin"}]}
    assert event["metadata"]["profiles"] == ["host"]


def test_a_relay_to_ssh_is_ssh_activity_as_well(source, relay, whole) -> None:
    ssh = relay(target=SshTarget("ssh-ed25519 AAAA"))
    kinds = []
    for events in (
        ocsf.relay_opened(source, NOW, ssh),
        ocsf.relay_refused(source, NOW, ssh, Code.FORBIDDEN, "no"),
        ocsf.relay_closed(source, NOW, ssh, Outcome.COMPLETED, opened_at=1.0, bytes_far=1, bytes_near=2),
    ):
        for event in events:
            whole(event)
            kinds.append(event["type_uid"])
    assert kinds == [400101, 400701, 400105, 400705, 400102, 400702]


@pytest.mark.parametrize("target", [TcpTarget("::1", 1), ExecTarget(), FilesTarget()])
def test_the_others_are_not(source, relay, target) -> None:
    assert [event["class_uid"] for event in ocsf.relay_opened(source, NOW, relay(target=target))] == [4001]


@pytest.mark.parametrize("code", list(Code))
def test_a_refusal_is_told_from_a_failure_by_its_code(source, relay, whole, code: Code) -> None:
    (event,) = ocsf.relay_refused(source, NOW, relay(), code, "because")
    whole(event)
    failed = code in {Code.UNAVAILABLE, Code.DEADLINE, Code.BROKEN, Code.INTERNAL, Code.CONFLICT}
    assert event["type_uid"] == (400104 if failed else 400105)
    assert (event["action_id"], event["disposition_id"]) == ((1, 1) if failed else (2, 2))
    assert (event["status_code"], event["status_detail"]) == (code.value, "because")
    assert event["metadata"]["profiles"] == ["host", "security_control"]


@pytest.mark.parametrize(
    ("outcome", "type_uid", "status"),
    [
        (Outcome.COMPLETED, 400102, "Success"),
        (Outcome.REVOKED, 400102, "Success"),
        (Outcome.REFUSED, 400105, "Failure"),
        (Outcome.TIMED_OUT, 400104, "Failure"),
        (Outcome.TARGET_FAILED, 400104, "Failure"),
        (Outcome.BROKEN_NEAR, 400103, "Failure"),
        (Outcome.BROKEN_FAR, 400103, "Failure"),
    ],
)
def test_every_outcome_has_its_activity_and_the_bytes_of_both_directions(
    source, relay, whole, outcome: Outcome, type_uid: int, status: str
) -> None:
    (event,) = ocsf.relay_closed(
        source, NOW, relay(), outcome, opened_at=1000.0, bytes_far=2**40, bytes_near=7, reason="why"
    )
    whole(event)
    assert (event["type_uid"], event["status"], event["status_code"]) == (type_uid, status, outcome.value)
    assert event["traffic"] == {"bytes": 2**40 + 7, "bytes_out": 2**40, "bytes_in": 7}
    assert (event["start_time"], event["end_time"], event["duration"]) == (1000000, 1000500, 500)


def test_there_is_an_end_for_every_outcome() -> None:
    assert set(ocsf._ENDS) == set(Outcome)


def test_hostile_text_is_cleaned_wherever_it_stands(source, relay) -> None:
    evil = f"\x1b[2J\n{TOKEN}"
    hostile = relay(channel_id=evil, sandbox=evil, sandbox_id=evil, address=evil)
    for event in [
        *ocsf.relay_opened(source, NOW, hostile),
        *ocsf.relay_refused(source, NOW, hostile, Code.INVALID, evil),
        ocsf.session_refused(source, NOW, evil, evil, evil),
        ocsf.exec_started(source, NOW, hostile, [evil], workdir=evil),
        ocsf.caller_refused(source, NOW, evil, Code.FORBIDDEN, evil, evil),
        ocsf.token_created(source, NOW, hostile.principal, evil, evil, []),
    ]:
        written = json.dumps(event, ensure_ascii=False)
        assert TOKEN not in written
        assert "\x1b" not in written
        assert "\\u001b" not in written
        assert "\\n" not in written.replace("\\\\n", "")


def test_all_builders_are_given_out_here() -> None:
    assert all(hasattr(ocsf, name) for name in ocsf.__all__)
