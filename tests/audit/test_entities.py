from __future__ import annotations

import pytest

from pyopenshell.audit import entities
from pyopenshell.errors import Code


@pytest.mark.parametrize(
    ("build", "args", "type_uid", "entity"),
    [
        ("token_created", ("id-1", "ci", ["ssh", "exec"]), 300401, {"type": "API token", "uid": "id-1", "name": "ci"}),
        ("token_revoked", ("id-1", "ci"), 300404, {"type": "API token", "uid": "id-1", "name": "ci"}),
        ("ssh_session_created", ("ab12", "sb-1"), 300401, {"type": "SSH session", "uid": "ab12", "name": "ab12"}),
        ("ssh_session_revoked", ("ab12", "sb-1"), 300404, {"type": "SSH session", "uid": "ab12", "name": "ab12"}),
        ("invitation_created", ("user", "ana", ["exec"]), 300401, {"type": "invitation", "uid": "ana", "name": "ana"}),
        ("invitation_created", ("host", "", []), 300401, {"type": "invitation", "uid": "host", "name": "host"}),
        ("principal_revoked", ("user", "ana", "id-1"), 300404, {"type": "user", "uid": "id-1", "name": "ana"}),
        ("principal_revoked", ("user", "ana", ""), 300404, {"type": "invitation", "uid": "ana", "name": "ana"}),
        ("sandbox_created", ("sb-1", "web"), 300401, {"type": "sandbox", "uid": "sb-1", "name": "web"}),
        ("sandbox_deleted", ("sb-1", "web"), 300404, {"type": "sandbox", "uid": "sb-1", "name": "web"}),
    ],
)
def test_what_is_made_and_ended(source, alice, whole, build: str, args, type_uid: int, entity) -> None:
    event = getattr(entities, build)(source, 5.0, alice, *args)
    whole(event)
    assert event["type_uid"] == type_uid
    data = event["entity"].pop("data", None)
    assert event["entity"] == entity
    if build == "token_created":
        assert data == {"scopes": ["exec", "ssh"]}
    if build.startswith("ssh_session"):
        assert data == {"sandbox": "sb-1"}
    assert event["actor"]["user"]["name"] == "alice"


def test_who_came_and_whose_certificate_was_renewed(source, alice, whole) -> None:
    came = entities.principal_enrolled(source, 5.0, "host", "lab1", "id-1", "alice", "10.0.0.1:5")
    whole(came)
    assert (came["type_uid"], came["actor"]["user"]["name"]) == (300401, "host:lab1")
    assert came["entity"]["data"]["invited_by"] == "alice"
    renewed = entities.certificate_renewed(source, 5.0, alice, "10.0.0.1:5")
    whole(renewed)
    assert renewed["entity"]["type"] == "certificate"


def test_a_caller_who_was_refused(source, whole) -> None:
    event = entities.caller_refused(source, 5.0, "ForwardTcp", Code.UNAUTHENTICATED, "it has expired", "10.0.0.1:5")
    whole(event)
    assert (event["type_uid"], event["status"], event["status_code"]) == (300201, "Failure", "unauthenticated")
    assert event["user"] == {"name": "unknown", "type_id": 0}
    assert event["service"] == {"name": "ForwardTcp"}


def test_lost_events(source, whole) -> None:
    event = entities.events_lost(source, 5.0, 12)
    whole(event)
    assert (event["type_uid"], event["count"], event["severity"]) == (99, 12, "High")
