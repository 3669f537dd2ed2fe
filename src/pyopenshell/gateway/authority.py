"""The gateway's CA at work: it reads signing requests and signs client certificates.

Of a signing request the key alone is taken: who somebody is, is said by the gateway. It is looked at with suspicion: bounded
before it is parsed, of P-256 and nothing else, and signed by the key that it is for, so that nobody gets a certificate for
another's key.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.certificates import LEAF_LIFE, client_subject, sign_leaf
from pyopenshell.gateway.pki import PkiFiles, read_certificate, read_key

REQUEST_MAX = 4096  # bytes of a signing request; one of P-256 with an empty subject has 200, some tools add names


def read_request(der: bytes) -> EllipticCurvePublicKey:
    """The key of a signing request (PKCS #10, RFC 2986). Raises INVALID for what is not of P-256 or not signed by it."""
    if len(der) > REQUEST_MAX:
        raise _invalid(f"it is {len(der)} bytes, over the limit of {REQUEST_MAX}")
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise _invalid("its key is not of P-256")
        if request.is_signature_valid:
            return key
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _invalid("it cannot be read") from None
    raise _invalid("it is not signed by its own key")


class Authority:
    """The CA of `files`. `ttl` is the life of what it signs, in seconds.

    Raises PRECONDITION where the CA cannot be read, INVALID for a life that would outlive the CA.
    """

    def __init__(self, files: PkiFiles, ttl: float) -> None:
        if not 0 < ttl <= LEAF_LIFE.total_seconds():
            raise OpenShellError(
                Code.INVALID, f"certificate_ttl {ttl:.0f} s is out of range", hint=f"use at most {LEAF_LIFE.days}d"
            )
        self._files = files
        self._life = timedelta(seconds=ttl)
        self.reload()

    def reload(self) -> None:
        """Read the files again: the CA's certificate was renewed."""
        key, certificate = read_key(self._files.ca_key), read_certificate(self._files.ca_cert)
        if key is None or certificate is None:
            raise OpenShellError(Code.PRECONDITION, f"the CA in {self._files.ca_cert.parent} cannot be read")
        self._key, self._certificate = key, certificate
        self.der = certificate.public_bytes(Encoding.DER)
        self.fingerprint = hashlib.sha256(self.der).digest()

    def sign(self, key: EllipticCurvePublicKey, unit: str, name: str, now: float) -> tuple[bytes, float]:
        """A client certificate in DER, and its end in seconds since the epoch."""
        at = datetime.fromtimestamp(now, UTC)
        made = sign_leaf(client_subject(unit, name), key, None, self._certificate, self._key, at, self._life)
        return made.public_bytes(Encoding.DER), made.not_valid_after_utc.timestamp()


def _invalid(reason: str) -> OpenShellError:
    return OpenShellError(Code.INVALID, f"the signing request is not valid: {reason}")
