from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.pki import PkiFiles, ensure_pki

NOW = 1_790_000_000.0
DAY = 86400.0
FILES = ["ca.crt", "ca.key", "client.crt", "client.key", "server.crt", "server.key"]


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in after if before.get(name) != after[name]}


def handshake(server: PkiFiles, client: PkiFiles, name: str = "localhost") -> dict:
    """A whole mutual TLS 1.3 handshake in memory, as strict as OpenSSL can be; the client as the server sees it."""
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.minimum_version = ssl.TLSVersion.TLSv1_3
    there.load_cert_chain(server.server_cert, server.server_key)
    there.load_verify_locations(server.ca_cert)
    there.verify_mode = ssl.CERT_REQUIRED
    there.verify_flags |= ssl.VERIFY_X509_STRICT
    here = ssl.create_default_context(cafile=str(client.ca_cert))
    here.load_cert_chain(client.client_cert, client.client_key)
    here.verify_flags |= ssl.VERIFY_X509_STRICT
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = here.wrap_bio(a, b, server_hostname=name)
    far = there.wrap_bio(b, a, server_side=True)
    for end in (near, far, near, far):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = far.getpeercert()
    assert found is not None
    return found


# The contexts' own clock is the real one, so what must hold in a handshake is made for today.
@pytest.fixture
def today() -> float:
    return time.time()


def test_what_is_made_is_private_and_works_by_each_local_name(tmp_path: Path, today: float) -> None:
    files = ensure_pki(tmp_path / "pki", owner="alice", now=today, names=["box.example"])
    assert sorted(content(tmp_path / "pki")) == FILES
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pki").iterdir()} == {0o600}
    for name in ("localhost", "127.0.0.1", "::1", "box.example"):
        subject = dict(pair[0] for pair in handshake(files, files, name)["subject"])
        assert subject["commonName"] == "alice"
        assert subject["organizationalUnitName"] == "openshell-admin"


def test_other_names_and_other_gateways_are_refused(tmp_path: Path, today: float) -> None:
    mine = ensure_pki(tmp_path / "mine", owner="alice", now=today)
    other = ensure_pki(tmp_path / "other", owner="alice", now=today)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"doesn't match|mismatch"):
        handshake(mine, mine, "evil.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(other, mine)
    liar = PkiFiles(mine.ca_cert, mine.server_cert, mine.server_key, other.client_cert, other.client_key)
    with pytest.raises(ssl.SSLError):
        handshake(mine, liar)


def test_a_servers_certificate_is_no_clients_and_the_other_way_round(tmp_path: Path, today: float) -> None:
    mine = ensure_pki(tmp_path, owner="alice", now=today)
    swapped = PkiFiles(mine.ca_cert, mine.client_cert, mine.client_key, mine.server_cert, mine.server_key)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(swapped, mine)
    with pytest.raises(ssl.SSLError):
        handshake(mine, swapped)


def test_what_is_good_is_left_alone(tmp_path: Path) -> None:
    ensure_pki(tmp_path, owner="alice", now=NOW)
    before = content(tmp_path)
    ensure_pki(tmp_path, owner="alice", now=NOW + 300 * DAY)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("later", "options", "renewed"),
    [
        (336 * DAY, {}, {"server.crt", "server.key", "client.crt", "client.key"}),
        (0, {"names": ["box.example"]}, {"server.crt", "server.key"}),
        (0, {"owner": "bob"}, {"client.crt", "client.key"}),
        (-2 * 3600, {}, {"ca.crt", "server.crt", "server.key", "client.crt", "client.key"}),
        (3300 * DAY, {}, {"ca.crt", "server.crt", "server.key", "client.crt", "client.key"}),
    ],
)
def test_what_ends_soon_or_says_the_wrong_thing_is_made_anew(tmp_path: Path, later: float, options, renewed) -> None:
    ensure_pki(tmp_path, owner="alice", now=NOW)
    before = content(tmp_path)
    ensure_pki(tmp_path, **{"owner": "alice", "now": NOW + later, **options})
    assert changed(before, content(tmp_path)) == renewed


def test_a_renewed_authority_keeps_its_key_so_that_old_clients_still_trust_it(tmp_path: Path) -> None:
    ensure_pki(tmp_path, owner="alice", now=NOW)
    old = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    ensure_pki(tmp_path, owner="alice", now=NOW + 3300 * DAY)
    server = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    server.verify_directly_issued_by(old)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "rubbish", "another's"])
def test_every_damage_to_every_file_is_healed(tmp_path: Path, today: float, name: str, damage: str) -> None:
    directory = tmp_path / "pki"
    ensure_pki(directory, owner="alice", now=today)
    ensure_pki(tmp_path / "other", owner="alice", now=today)
    if damage == "gone":
        (directory / name).unlink()
    else:
        bad = {"empty": b"", "rubbish": b"\x00garbage", "another's": (tmp_path / "other" / name).read_bytes()}[damage]
        (directory / name).write_bytes(bad)
    files = ensure_pki(directory, owner="alice", now=today)
    handshake(files, files)


def test_a_crash_between_any_two_renames_is_healed(
    tmp_path: Path, today: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace
    for step in range(6):
        left = [step]

        def crash(path: Path, target: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return real(path, target)

        monkeypatch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            ensure_pki(tmp_path / str(step), owner="alice", now=today)
        monkeypatch.undo()
        files = ensure_pki(tmp_path / str(step), owner="alice", now=today)
        handshake(files, files)
        assert sorted(content(tmp_path / str(step))) == FILES


def test_a_bad_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for options in ({"names": ["a b"]}, {"owner": ""}):
        with pytest.raises(OpenShellError) as caught:
            ensure_pki(tmp_path / "pki", **{"owner": "alice", "now": NOW, **options})
        assert caught.value.code is Code.INVALID
    assert not (tmp_path / "pki").exists()


def test_a_file_that_is_far_too_big_is_not_read_in(tmp_path: Path) -> None:
    (tmp_path / "ca.key").write_bytes(b"x" * 20000)
    with pytest.raises(OpenShellError, match="is not what belongs there"):
        ensure_pki(tmp_path, owner="alice", now=NOW)
