"""The server certificate is made anew while the gateway runs, and shown from the next handshake on."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.server_certificate import ServerCertificate
from pyopenshell.streams.tls import server_context

NOW = 1_790_000_000.0
DAY = 86400.0


def shown(context: ssl.SSLContext) -> int:
    """The serial number of what a handshake in memory shows."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
    here, there = client.wrap_bio(a, b), context.wrap_bio(c, d, server_side=True)
    for _ in range(4):
        for side, source, sink in ((here, b, c), (there, d, a)):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            sink.write(source.read())
    der = here.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


async def test_it_is_renewed_in_time_and_shown(tmp_path: Path) -> None:
    clock = [NOW]
    kept = ServerCertificate(tmp_path / "pki", "alice", (), lambda: clock[0])
    tls = server_context(kept.files.server_cert, kept.files.server_key, kept.files.ca_cert, required=False)
    authority = Authority(kept.files, DAY)
    first, fingerprint = shown(tls), authority.fingerprint
    clock[0] = NOW + 300 * DAY
    kept.look(tls, authority)
    assert shown(tls) == first
    clock[0] = NOW + 340 * DAY
    kept.look(tls, authority)
    assert shown(tls) != first
    assert authority.fingerprint == fingerprint  # invitations that are out stay good


async def test_a_look_that_fails_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    kept = ServerCertificate(tmp_path / "pki", "alice", (), lambda: NOW)
    tls = server_context(kept.files.server_cert, kept.files.server_key)
    authority = Authority(kept.files, DAY)
    looked = asyncio.Event()
    looks: list[int] = []
    real = kept.look

    def look(*args: object) -> None:
        looks.append(1)
        if len(looks) == 1:
            kept.files.ca_key.write_bytes(b"junk")
            kept._directory = Path("/proc/nowhere")
        else:
            looked.set()
        real(tls, authority)

    monkeypatch.setattr(kept, "look", look)
    with caplog.at_level(logging.WARNING):
        task = asyncio.ensure_future(kept.keep(tls, authority, 0.0))
        await looked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "were not renewed" in caplog.text
