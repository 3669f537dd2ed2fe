"""A gateway that enrols, for tests of the client side: the real gRPC server over TLS with an authority of its own.

What a test wants to go wrong is said in `refuse` (rpc name -> error), `clock` (what the gateway takes the time for) and
`shows` (another authority's certificate in the answer of GetAuthority: somebody in between).
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pyopenshell.enrol.invitation import Address, Invitation, Invited
from pyopenshell.enrol.keys import fingerprint
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import Call, GrpcServer, listen_tcp, server_context, unary
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

CODE = "osi_" + "a2" * 16
ENROLMENT = "/pyopenshell.v1.Enrolment/"
EXTENSION = "/pyopenshell.v1.Extension/"
OPENSHELL = "/openshell.v1.OpenShell/"
DAY = 86400.0


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A CA of P-256 that signs whatever it is told to."""

    def __init__(self, name: str = "gateway CA") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        builder = self._builder(self.name, self.key.public_key(), -DAY, 3650 * DAY)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.certificate = (
            builder.add_extension(x509.BasicConstraints(True, 0), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def sign(
        self, key: ec.EllipticCurvePublicKey, subject: str, *, start: float = -3600.0, end: float = DAY,
        alternatives: Sequence[str] = (),
    ) -> x509.Certificate:  # fmt: skip
        """A certificate of `key` that counts from `start` to `end` seconds from now."""
        builder = self._builder(_name(subject), key, start, end)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
        )
        if alternatives:
            names = [_alternative(name) for name in alternatives]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, start: float, end: float
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(seconds=start))
            .not_valid_after(now + timedelta(seconds=end))
        )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class EnrollingGateway:
    """State that tests look at and change; `asked` is every RPC in its order."""

    directory: Path
    authority: Authority = field(default_factory=Authority)
    name: str = "lab"
    gives: str = ""
    scopes: tuple[str, ...] = ()
    codes: set[str] = field(default_factory=lambda: {CODE})
    clock: float = 0.0  # seconds that its clock is ahead of ours
    certificate_end: float = DAY
    shows: bytes = b""
    signs_with: Authority | None = None
    refuse: dict[str, OpenShellError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    enrolled: list[ext.EnrolRequest] = field(default_factory=list)
    certificates: list[bytes | None] = field(default_factory=list)  # of who called
    port: int = 0
    server: GrpcServer | None = None

    async def start(
        self, *, alternatives: Sequence[str] = ("localhost", "127.0.0.1"), start: float = -3600.0, end: float = DAY
    ) -> EnrollingGateway:
        """Listen on 127.0.0.1, with a server certificate of these names and times."""
        sock = listen_tcp("127.0.0.1", self.port)
        self.port = sock.getsockname()[1]
        self.server = GrpcServer(self._handlers())
        await self.server.serve(sock, self._context(alternatives, start, end))
        return self

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.close()
            self.server = None

    def invitation(
        self, role: Invited = Invited.USER, *, code: str = CODE, addresses: Sequence[Address] = (), shown: str = ""
    ) -> Invitation:
        places = tuple(addresses) or (Address("127.0.0.1", self.port),)
        return Invitation(role, places, code, shown or fingerprint(self.authority.der))

    def _context(self, alternatives: Sequence[str], start: float, end: float) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self.authority.sign(key.public_key(), "server", start=start, end=end, alternatives=alternatives)
        files = {
            "server.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "server.crt": signed.public_bytes(Encoding.PEM),
            "ca.crt": self.authority.pem,
        }
        for file, content in files.items():
            (self.directory / file).write_bytes(content)
        crt, key_file, ca = (self.directory / file for file in ("server.crt", "server.key", "ca.crt"))
        return server_context(crt, key_file, ca, required=False)

    def _handlers(self):
        rpcs = {
            ENROLMENT + "GetAuthority": (ext.GetAuthorityRequest, self._authority),
            ENROLMENT + "Enrol": (ext.EnrolRequest, self._enrol),
            EXTENSION + "RenewCertificate": (ext.RenewCertificateRequest, self._renew),
            OPENSHELL + "Health": (pb.HealthRequest, self._health),
        }
        return {path: unary(kind, self._guarded(path, fn)) for path, (kind, fn) in rpcs.items()}

    def _guarded(self, path, fn):
        async def handler(request, call: Call):
            rpc = path.rpartition("/")[2]
            self.asked.append(rpc)
            self.certificates.append(call.peer.tls_cert_der)
            if rpc in self.refuse:
                raise self.refuse[rpc]
            return fn(request)

        return handler

    def _health(self, _request):
        return pb.HealthResponse(status=pb.SERVICE_STATUS_HEALTHY, version="9.9")

    def _authority(self, _request):
        return ext.GetAuthorityResponse(
            certificate=self.shows or self.authority.der, time=timestamp(time.time() + self.clock)
        )

    def _enrol(self, request: ext.EnrolRequest):
        self.enrolled.append(request)
        if request.code not in self.codes:
            raise OpenShellError(Code.UNAUTHENTICATED, "the invitation is not known, or was used, or has expired")
        self.codes.remove(request.code)
        name = self.gives or request.name
        principal = ext.Principal(role=request.role, name=name, scopes=self.scopes)
        return ext.EnrolResponse(
            certificate=self._signed(request.signing_request, name), principal=principal, gateway=self.name
        )

    def _renew(self, request: ext.RenewCertificateRequest):
        return ext.RenewCertificateResponse(certificate=self._signed(request.signing_request, "renewed"))

    def _signed(self, request: bytes, name: str) -> bytes:
        key = x509.load_der_x509_csr(request).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signer = self.signs_with or self.authority
        return signer.sign(key, name, end=self.certificate_end).public_bytes(Encoding.DER)
