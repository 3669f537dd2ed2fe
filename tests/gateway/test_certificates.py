from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import certificates as c

AT = datetime(2026, 1, 1, tzinfo=UTC)
CA_KEY = ec.generate_private_key(ec.SECP256R1())
KEY = ec.generate_private_key(ec.SECP256R1())
CA = c.sign_authority(CA_KEY, AT)


def leaf(alternatives: x509.SubjectAlternativeName | None = None) -> x509.Certificate:
    return c.sign_leaf(c.client_subject(c.ADMIN_UNIT, "alice"), KEY.public_key(), alternatives, CA, CA_KEY, AT)


def extension(certificate: x509.Certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def test_the_authority_may_sign_leaves_and_no_further_authority() -> None:
    constraints = extension(CA, x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = extension(CA, x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    assert AT - timedelta(hours=1) == CA.not_valid_before_utc
    assert CA.not_valid_after_utc == AT + c.CA_LIFE


@pytest.mark.parametrize("server", [True, False])
def test_a_leaf_is_for_one_purpose(server: bool) -> None:
    certificate = leaf(c.server_alternatives([]) if server else None)
    constraints = extension(certificate, x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    wanted = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    assert list(extension(certificate, x509.ExtendedKeyUsage).value) == [wanted]
    usage = extension(certificate, x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    identifier = extension(certificate, x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == extension(CA, x509.SubjectKeyIdentifier).value.digest
    assert (c.alternatives_of(certificate) is not None) is server


def test_names_of_a_server() -> None:
    names = c.server_alternatives(["box.example", "10.0.0.1", "localhost", "fe80::1", "*.box.example"])
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "box.example", "*.box.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.0.0.1", "fe80::1"]


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a/b", "a..b", ".a", "x" * 64, "a." * 127 + "a" * 3, "münchen.de", "a\n", "*"]
)
def test_impossible_names_of_a_server(name: str) -> None:
    with pytest.raises(OpenShellError, match="server name") as caught:
        c.server_alternatives([name])
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize("owner", ["", "x" * 65])
def test_impossible_owners(owner: str) -> None:
    with pytest.raises(OpenShellError, match="owner"):
        c.client_subject(c.ADMIN_UNIT, owner)


def test_the_principal_of_a_client_certificate() -> None:
    shown = c.read_shown(leaf().public_bytes(Encoding.DER))
    assert (shown.name, shown.unit, shown.key_hash) == ("alice", c.ADMIN_UNIT, c.key_hash(KEY.public_key()))
    assert shown.expires_at == (AT + c.LEAF_LIFE).timestamp()


@pytest.mark.parametrize("extra", [NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME])
def test_two_names_are_nobody(extra: x509.ObjectIdentifier) -> None:
    subject = x509.Name([*c.client_subject(c.ADMIN_UNIT, "alice"), x509.NameAttribute(extra, "root")])
    certificate = c.sign_leaf(subject, KEY.public_key(), None, CA, CA_KEY, AT)
    with pytest.raises(OpenShellError, match="one common name and one"):
        c.read_shown(certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"garbage", leaf().public_bytes(Encoding.DER)[:-9]])
def test_what_is_no_certificate_is_nobody(der: bytes) -> None:
    with pytest.raises(OpenShellError) as caught:
        c.read_shown(der)
    assert caught.value.code is Code.UNAUTHENTICATED


def test_what_fits() -> None:
    margin = timedelta(days=30)
    certificate = leaf()
    assert c.fits(certificate, KEY, CA, AT, margin)
    assert c.fits(certificate, KEY, CA, AT - c.BACKDATE, margin)
    assert not c.fits(certificate, KEY, CA, AT - c.BACKDATE - timedelta(seconds=1), margin)
    assert c.fits(certificate, KEY, CA, AT + c.LEAF_LIFE - margin - timedelta(seconds=1), margin)
    assert not c.fits(certificate, KEY, CA, AT + c.LEAF_LIFE - margin, margin)
    assert not c.fits(certificate, CA_KEY, CA, AT, margin)
    other_key = ec.generate_private_key(ec.SECP256R1())
    other = c.sign_authority(other_key, AT)  # the same subject, another key
    assert not c.fits(certificate, KEY, other, AT, margin)
    assert c.fits(certificate, KEY, c.sign_authority(CA_KEY, AT + timedelta(days=5)), AT, margin)


def test_a_leaf_never_outlives_its_authority() -> None:
    assert c.CA_RENEW_BEFORE >= c.LEAF_LIFE


def test_the_signature_is_of_sha256() -> None:
    assert isinstance(leaf().signature_hash_algorithm, hashes.SHA256)
