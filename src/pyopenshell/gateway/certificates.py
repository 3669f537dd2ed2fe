"""What is in our certificates: names, extensions, times, and who a client certificate says it is. No file, no clock.

A client certificate's organizational unit says what it is the certificate of: the owner's, an enrolled user's or sandbox
host's, or a terminating proxy's, which authenticates to nobody.

Extensions follow RFC 5280, so that OpenSSL's X509_V_FLAG_X509_STRICT (the default of Python 3.13's ssl) is content.
P-256, not Ed25519: BoringSSL, and so every gRPC client built on C-core, does not offer Ed25519 signatures and could not
connect. A full mutual TLS 1.3 handshake takes 1.9 ms with either (both ends, one core).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pyopenshell.errors import Code, OpenShellError

ADMIN_UNIT = "openshell-admin"  # organizational unit of the owner's client certificate
USER_UNIT, HOST_UNIT, PROXY_UNIT = "openshell-user", "openshell-host", "openshell-proxy"
ORGANIZATION = "pyopenshell"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)  # under the 398 days that Apple's TLS accepts of a server certificate
LEAF_RENEW_BEFORE = timedelta(days=30)  # certbot's own margin
CA_RENEW_BEFORE = LEAF_LIFE + LEAF_RENEW_BEFORE  # so that no leaf outlives its CA
BACKDATE = timedelta(hours=1)  # a client's clock may be behind
COMMON_NAME_MAX = 64  # RFC 5280 appendix A.1, ub-common-name


def server_alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    """localhost, 127.0.0.1, ::1 and `names` (DNS names, IP literals), each once. Raises INVALID for anything else."""
    return x509.SubjectAlternativeName([_alternative(name) for name in dict.fromkeys((*LOCAL_NAMES, *names))])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    labels = name.removeprefix("*.").split(".")
    if len(name) > 253 or not all(0 < len(label) < 64 and label.replace("-", "a").isalnum() for label in labels):
        raise OpenShellError(Code.INVALID, f"server name {name[:80]!r} is neither a DNS name nor an IP address")
    if not name.isascii():
        raise OpenShellError(Code.INVALID, f"server name {name[:80]!r} is not ASCII", hint="write it in its xn-- form")
    return x509.DNSName(name)


def server_subject() -> x509.Name:
    """Clients look at the alternatives; the subject is for people."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOCAL_NAMES[0])])


def client_subject(unit: str, name: str) -> x509.Name:
    """The subject of a client certificate. Raises INVALID for a name that no certificate can carry."""
    if not 0 < len(name) <= COMMON_NAME_MAX:
        raise OpenShellError(Code.INVALID, f"owner {name[:80]!r} does not have 1 to {COMMON_NAME_MAX} characters")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client certificate says: common name, organizational unit, whose key, and when it ends (epoch seconds)."""

    name: str
    unit: str
    key_hash: str
    expires_at: float


def read_shown(der: bytes) -> Shown:
    """Read a client certificate that TLS has verified against our CA.

    Raises UNAUTHENTICATED unless its subject has exactly one common name and one unit: with two, what one reader takes
    another may not.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        if len(names) == 1 and len(units) == 1:
            return Shown(
                str(names[0].value),
                str(units[0].value),
                key_hash(certificate.public_key()),
                certificate.not_valid_after_utc.timestamp(),
            )
    except ValueError:
        pass
    raise OpenShellError(
        Code.UNAUTHENTICATED,
        "the client certificate's subject does not have one common name and one organizational unit",
    )


def key_hash(key: CertificatePublicKeyTypes) -> str:
    """The sha256, in hex, of a public key as its SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign_authority(key: EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    """A self-signed CA certificate for `key`: it may sign leaves, and no further CA."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, "pyopenshell gateway CA"),
        ]
    )
    return (
        _builder(subject, subject, key.public_key(), at, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(of_authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def sign_leaf(
    subject: x509.Name,
    public_key: EllipticCurvePublicKey,
    alternatives: x509.SubjectAlternativeName | None,
    authority: x509.Certificate,
    authority_key: EllipticCurvePrivateKey,
    at: datetime,
    life: timedelta = LEAF_LIFE,
) -> x509.Certificate:
    """A server certificate where there are `alternatives`, a client certificate otherwise; each for that purpose alone."""
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if alternatives is None else ExtendedKeyUsageOID.SERVER_AUTH
    issuer = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    builder = (
        _builder(subject, authority.subject, public_key, at, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(of_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def fits(
    certificate: x509.Certificate,
    key: EllipticCurvePrivateKey,
    authority: x509.Certificate,
    at: datetime,
    margin: timedelta,
) -> bool:
    """Whether `certificate` is for `key`, signed by `authority`, valid at `at` and for `margin` more."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return (
        certificate.public_key() == key.public_key()
        and certificate.not_valid_before_utc <= at
        and at + margin < certificate.not_valid_after_utc
    )


def alternatives_of(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    """The certificate's subject alternative names, None where it has none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePublicKey, at: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATE)
        .not_valid_after(at + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, of_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_authority,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
