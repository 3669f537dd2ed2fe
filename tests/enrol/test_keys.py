"""Keys, requests, and the certificates that are taken for an answer."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pyopenshell.enrol.keys import Key, Validity, authority_pem, clock, der_of, fingerprint, validity
from pyopenshell.errors import Code, OpenShellError
from tests.support.enrolment import Authority


def signed(authority: Authority, key: Key) -> bytes:
    public = x509.load_der_x509_csr(key.request()).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return authority.sign(public, "ada").public_bytes(Encoding.DER)


def test_a_request_is_signed_and_names_nobody() -> None:
    found = x509.load_der_x509_csr(Key.make().request())
    assert found.is_signature_valid
    assert list(found.subject) == []
    public = found.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)


def test_a_key_is_read_again() -> None:
    key = Key.make()
    assert Key.read(key.pem).pem == key.pem
    for rubbish in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(OpenShellError, match="cannot be read") as caught:
            Key.read(rubbish)
        assert caught.value.code is Code.PRECONDITION


def test_its_certificate_is_taken() -> None:
    authority, key = Authority(), Key.make()
    pem, times = key.accept(signed(authority, key), authority.der)
    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    assert times == validity(pem)
    assert times.start < times.renew_after < times.end
    assert fingerprint(der_of(authority_pem(authority.der))) == fingerprint(authority.der)


def test_no_other_certificate_is_taken() -> None:
    authority, key = Authority(), Key.make()
    for wrong in (signed(authority, Key.make()), signed(Authority(), key), b"", b"rubbish"):
        with pytest.raises(OpenShellError, match="not for our key") as caught:
            key.accept(wrong, authority.der)
        assert caught.value.code is Code.BROKEN


def test_what_is_no_certificate() -> None:
    with pytest.raises(OpenShellError, match="not a certificate"):
        authority_pem(b"rubbish")
    for read in (der_of, validity):
        with pytest.raises(OpenShellError, match="cannot be read"):
            read(b"rubbish")


def test_moments() -> None:
    assert Validity(0.0, 300.0).renew_after == 200.0
    assert Validity(0.0, 300.0).until == "1970-01-01 00:05 UTC"
    assert clock(1_700_000_000) == "2023-11-14 22:13 UTC"
