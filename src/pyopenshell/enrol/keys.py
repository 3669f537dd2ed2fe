"""A key that is made where it is used, and what is asked and known of it: request, certificate, times. No file, no clock.

P-256 as everything of ours (gateway/certificates.py says why). A request's subject is empty: the gateway says who somebody
is, and looks at the key alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pyopenshell.errors import Code, OpenShellError

#: The part of a certificate's life after which it is renewed: a third is left to succeed in, as Let's Encrypt advises.
RENEW_AFTER = 2 / 3


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate counts, in seconds since the epoch."""

    start: float
    end: float

    @property
    def renew_after(self) -> float:
        """The moment from which on it is renewed."""
        return self.start + (self.end - self.start) * RENEW_AFTER

    @property
    def until(self) -> str:
        """The end, for people."""
        return clock(self.end)


class Key:
    """A private key of P-256."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def make(cls) -> Key:
        """A new one."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, pem: bytes) -> Key:
        """The key of a PEM file. Raises PRECONDITION for anything else, and shows nothing of it."""
        try:
            found = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            found = None
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise OpenShellError(Code.PRECONDITION, "the private key cannot be read")
        return cls(found)

    @property
    def pem(self) -> bytes:
        """PKCS #8 (RFC 5958), not encrypted: what a tls.key holds."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def request(self) -> bytes:
        """A signing request, PKCS #10 (RFC 2986), in DER."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)

    def accept(self, certificate: bytes, authority: bytes) -> tuple[bytes, Validity]:
        """The certificate in PEM and its times, where it is for this key and of that authority (both DER).

        Raises BROKEN for any other answer of a gateway.
        """
        try:
            found = x509.load_der_x509_certificate(certificate)
            found.verify_directly_issued_by(x509.load_der_x509_certificate(authority))
            fits = found.public_key() == self._key.public_key()
        except (ValueError, TypeError, InvalidSignature):
            fits = False
        if not fits:
            raise OpenShellError(Code.BROKEN, "the gateway answered with a certificate that is not for our key")
        return found.public_bytes(Encoding.PEM), _times(found)


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER, 64 hex digits."""
    return hashlib.sha256(certificate).hexdigest()


def authority_pem(certificate: bytes) -> bytes:
    """A CA certificate in PEM, from DER. Raises BROKEN."""
    try:
        return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
    except ValueError:
        raise OpenShellError(Code.BROKEN, "the gateway's authority is not a certificate") from None


def der_of(pem: bytes) -> bytes:
    """A certificate in DER, from PEM. Raises PRECONDITION."""
    return _read(pem).public_bytes(Encoding.DER)


def validity(pem: bytes) -> Validity:
    """The times of a certificate in PEM. Raises PRECONDITION."""
    return _times(_read(pem))


def clock(seconds: float) -> str:
    """A moment as people compare it with their own clock."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _read(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise OpenShellError(Code.PRECONDITION, "the certificate cannot be read") from None


def _times(certificate: x509.Certificate) -> Validity:
    return Validity(certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())
