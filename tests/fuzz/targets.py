"""Every target by its name: a function that takes a program and raises when the product is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import against_h2, frames, framings, header_blocks, owner, pair

TARGETS: dict[str, Callable[[bytes], None]] = {
    "server": owner.server,
    "client": owner.client,
    "pair": pair.pair,
    "frames": frames.frames,
    "headers": header_blocks.header_blocks,
    "messages": framings.messages,
    "exec": framings.exec_stream,
    "data": framings.data_stream,
    "h2-server": against_h2.server,
    "h2-client": against_h2.client,
}

CORPUS = Path(__file__).with_name("corpus")


def seeds(target: str) -> list[bytes]:
    """The committed programs of a target, in the order of their names."""
    return [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
