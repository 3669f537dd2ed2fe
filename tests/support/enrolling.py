"""Enrolment against a gateway of the kit, with raw calls: an invitation, a key, a certificate, a connection."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pyopenshell.streams import Channel, Endpoint, client_context
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.gateway_kit import Kit

USER, HOST, PROXY = ext.ENROLLED_ROLE_USER, ext.ENROLLED_ROLE_HOST, ext.ENROLLED_ROLE_PROXY


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass
class Member:
    """Somebody who enrolled: a key and a certificate."""

    key: ec.EllipticCurvePrivateKey
    response: ext.EnrolResponse

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.response.certificate)

    async def connect(self, kit: Kit) -> Channel:
        with tempfile.TemporaryDirectory() as directory:
            cert, key = Path(directory) / "tls.crt", Path(directory) / "tls.key"
            cert.write_bytes(self.certificate.public_bytes(Encoding.PEM))
            key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            tls = client_context(kit.settings.state / "pki" / "ca.crt", cert, key)
        return kit._kept(await Channel.connect(Endpoint("127.0.0.1", kit.gateway.port), tls))


async def invite(kit: Kit, role: int = USER, **fields: object) -> ext.CreateInvitationResponse:
    request = ext.CreateInvitationRequest(role=role, **fields)  # type: ignore[arg-type]
    return await kit.extension("CreateInvitation", request, ext.CreateInvitationResponse)


async def take(
    kit: Kit, code: str, role: int = USER, name: str = "ana", *, request: bytes | None = None,
    channel: Channel | None = None,
) -> Member:  # fmt: skip
    key = new_key()
    made = await kit.call(
        "/pyopenshell.v1.Enrolment/Enrol",
        ext.EnrolRequest(
            code=code, signing_request=request_of(key) if request is None else request, name=name, role=role
        ),
        ext.EnrolResponse,
        channel=channel or await kit.connect_tls(cert=False),
    )
    return Member(key, made)


async def enrol(kit: Kit, role: int = USER, name: str = "ana", **fields: object) -> Member:
    return await take(kit, (await invite(kit, role, **fields)).code, role, name)


def fingerprint(certificate: bytes) -> bytes:
    return hashlib.sha256(certificate).digest()
