from __future__ import annotations

from pyopenshell.audit import sessions


def test_opened(source, whole) -> None:
    event = sessions.session_opened(source, 5.0, "sb-1", "web", "sess-1", "unix")
    whole(event)
    assert event["type_uid"] == 400101
    assert event["src_endpoint"] == {"name": "web", "uid": "sb-1"}
    assert event["dst_endpoint"] == {"name": "local", "svc_name": "supervisor session"}
    assert event["connection_info"]["uid"] == "sess-1"
    assert event["message"] == "supervisor session opened (web)"


def test_refused(source, whole) -> None:
    event = sessions.session_refused(source, 5.0, "sb-1", "its token has expired", "10.0.0.1:99")
    whole(event)
    assert (event["type_uid"], event["status"], event["disposition_id"]) == (400105, "Failure", 2)
    assert event["status_detail"] == "its token has expired"
    assert event["src_endpoint"]["ip"] == "10.0.0.1"


def test_closed(source, whole) -> None:
    event = sessions.session_closed(source, 9.0, "sb-1", "web", "sess-1", opened_at=5.0, reason="superseded")
    whole(event)
    assert (event["type_uid"], event["duration"], event["status_detail"]) == (400102, 4000, "superseded")


def test_a_hosts(source, whole) -> None:
    opened = sessions.session_opened(source, 5.0, "h-1", "lab1", "sess-1", "10.0.0.1:99", kind=sessions.HOST)
    refused = sessions.session_refused(source, 5.0, "h-1", "another machine", name="lab1", kind=sessions.HOST)
    closed = sessions.session_closed(
        source, 9.0, "h-1", "lab1", "sess-1", opened_at=5.0, reason="lost", kind=sessions.HOST
    )
    for made, what in ((opened, "opened"), (refused, "refused"), (closed, "closed")):
        whole(made)
        assert made["message"] == f"host session {what} (lab1)"
        assert made["dst_endpoint"]["svc_name"] == "host session"
        assert made["src_endpoint"]["uid"] == "h-1"
