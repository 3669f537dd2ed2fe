from __future__ import annotations

import socket

from pyopenshell.streams.segments import SMALL_SEGMENT, Segments, keep_small


def test_silence_is_learned_once() -> None:
    told: list[str] = []
    path = Segments(learned=lambda: told.append("learned"))
    path.ended(silent=False)
    assert not path.small
    path.ended(silent=True)
    path.ended(silent=True)
    path.ended(silent=False)
    assert path.small
    assert told == ["learned"]
    assert repr(path) == "<Segments small>"


def test_what_is_known_already_is_not_told() -> None:
    told: list[str] = []
    path = Segments(small=True, learned=lambda: told.append("learned"))
    path.ended(silent=True)
    assert told == []


def test_both_ends_of_a_connection_keep_to_it() -> None:
    with socket.socket() as listening, socket.socket() as near:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        keep_small(near)
        near.connect(listening.getsockname())
        far, _ = listening.accept()
        with far:
            for end in (near, far):
                assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= SMALL_SEGMENT


def test_a_platform_that_refuses_changes_nothing() -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        keep_small(unix)
