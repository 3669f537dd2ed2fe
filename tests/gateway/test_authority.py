from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authority import REQUEST_MAX, Authority, read_request
from pyopenshell.gateway.certificates import USER_UNIT, read_shown
from pyopenshell.gateway.pki import ensure_pki
from tests.support.enrolling import new_key, request_of

NOW = 1_790_000_000.0


def test_what_it_signs(tmp_path: Path) -> None:
    files = ensure_pki(tmp_path / "pki", owner="alice", now=NOW)
    authority = Authority(files, 3600.0)
    key = new_key()
    der, end = authority.sign(read_request(request_of(key)), USER_UNIT, "ana", NOW)
    shown = read_shown(der)
    assert (shown.name, shown.unit, shown.expires_at, end) == ("ana", USER_UNIT, NOW + 3600, NOW + 3600)
    signer = x509.load_der_x509_certificate(authority.der)
    x509.load_der_x509_certificate(der).verify_directly_issued_by(signer)
    assert authority.fingerprint == hashlib.sha256(authority.der).digest()


@pytest.mark.parametrize("ttl", [0.0, -1.0, 366 * 86400.0])
def test_lives_that_cannot_be(tmp_path: Path, ttl: float) -> None:
    files = ensure_pki(tmp_path / "pki", owner="alice", now=NOW)
    with pytest.raises(OpenShellError, match="certificate_ttl") as caught:
        Authority(files, ttl)
    assert caught.value.code is Code.INVALID


def test_an_authority_that_is_gone(tmp_path: Path) -> None:
    files = ensure_pki(tmp_path / "pki", owner="alice", now=NOW)
    files.ca_key.write_bytes(b"junk")
    with pytest.raises(OpenShellError, match="cannot be read") as caught:
        Authority(files, 60.0)
    assert caught.value.code is Code.PRECONDITION


def test_the_size_of_a_request_is_looked_at_first() -> None:
    with pytest.raises(OpenShellError, match="over the limit"):
        read_request(request_of(new_key()) + bytes(REQUEST_MAX))
