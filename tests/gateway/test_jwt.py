from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt as library
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.jwt import AUDIENCE, CLOCK_STEP, KEY_FILE, TOKEN_MAX, SupervisorTokens, looks_like_jwt
from pyopenshell.model import new_id

NOW = 1_000_000.0
BOX = new_id()


@pytest.fixture
def tokens(tmp_path: Path) -> SupervisorTokens:
    return SupervisorTokens(tmp_path / "pki", "local", ttl=100)


def refused(tokens: SupervisorTokens, token: str, words: str, now: float = NOW) -> None:
    with pytest.raises(OpenShellError, match=words) as caught:
        tokens.verify(token, now)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert token not in str(caught.value) or not token


def claims(**fields: Any) -> dict[str, Any]:
    return {
        "iss": "local", "aud": AUDIENCE, "sub": BOX, "exp": int(NOW) + 100, "iat": int(NOW), "jti": new_id(), **fields,
    }  # fmt: skip


def signed(tokens: SupervisorTokens, payload: Any, headers: dict[str, Any] | None = None) -> str:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return library.PyJWS(algorithms=["EdDSA"]).encode(data, tokens._key, "EdDSA", headers=headers)


def test_a_token_speaks_for_its_sandbox_until_it_ends(tokens: SupervisorTokens) -> None:
    token, ends = tokens.issue(BOX, NOW + 0.9)
    assert ends == NOW + 100
    assert tokens.verify(token, NOW) == BOX
    assert tokens.verify(token, ends - 0.001) == BOX
    refused(tokens, token, "it has expired", ends)
    assert looks_like_jwt(token)


def test_no_two_tokens_are_the_same(tokens: SupervisorTokens) -> None:
    assert tokens.issue(BOX, NOW)[0] != tokens.issue(BOX, NOW)[0]


def test_the_key_is_private_and_outlives_the_gateway(tokens: SupervisorTokens, tmp_path: Path) -> None:
    token, _ = tokens.issue(BOX, NOW)
    assert (tmp_path / "pki" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert SupervisorTokens(tmp_path / "pki", "local").verify(token, NOW) == BOX


def test_another_gateways_token_is_refused(tokens: SupervisorTokens, tmp_path: Path) -> None:
    other = SupervisorTokens(tmp_path / "other", "local")
    refused(tokens, other.issue(BOX, NOW)[0], "signature")
    renamed = SupervisorTokens(tmp_path / "pki", "second")
    refused(tokens, renamed.issue(BOX, NOW)[0], "another gateway issued it")


@pytest.mark.parametrize("size", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_broken_key_file_is_said_and_not_replaced(tmp_path: Path, size: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(size)
    with pytest.raises(OpenShellError, match="does not hold an Ed25519 key") as caught:
        SupervisorTokens(tmp_path, "local")
    assert caught.value.code is Code.PRECONDITION
    assert (tmp_path / KEY_FILE).read_bytes() == size


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"aud": "api"}, "something else"),
        ({"aud": [AUDIENCE]}, "claims are not ours"),
        ({"iss": "Local"}, "another gateway"),
        ({"sub": "web"}, "names no sandbox"),
        ({"sub": ""}, "names no sandbox"),
        ({"sub": BOX.upper() + " "}, "names no sandbox"),
        ({"sub": None}, "claims are not ours"),
        ({"exp": int(NOW)}, "expired"),
        ({"exp": float(NOW + 1)}, "claims are not ours"),
        ({"exp": True}, "claims are not ours"),
        ({"exp": "9999999999"}, "claims are not ours"),
        ({"iat": int(NOW + CLOCK_STEP) + 1}, "in the future"),
        ({"admin": True}, "claims are not ours"),
    ],
)
def test_claims_are_exactly_ours(tokens: SupervisorTokens, fields: dict[str, Any], words: str) -> None:
    refused(tokens, signed(tokens, claims(**fields)), words)


@pytest.mark.parametrize("name", sorted(claims()))
def test_every_claim_must_be_there(tokens: SupervisorTokens, name: str) -> None:
    refused(tokens, signed(tokens, {key: value for key, value in claims().items() if key != name}), "not ours")


@pytest.mark.parametrize("payload", [b"", b"[]", b'"text"', b"{", b"\xff\xfe", b"[" * 2000])
def test_claims_that_are_no_object(tokens: SupervisorTokens, payload: bytes) -> None:
    refused(tokens, signed(tokens, payload), "claims|shape")


def test_a_clock_that_was_set_back_a_little_is_borne(tokens: SupervisorTokens) -> None:
    token, _ = tokens.issue(BOX, NOW)
    assert tokens.verify(token, NOW - CLOCK_STEP) == BOX
    refused(tokens, token, "in the future", NOW - CLOCK_STEP - 1)


@pytest.mark.parametrize(
    "headers", [{"kid": "x"}, {"typ": "at+jwt"}, {"jku": "https://evil/"}, {"crit": ["x"], "x": 1}]
)
def test_the_header_is_exactly_ours(tokens: SupervisorTokens, headers: dict[str, Any]) -> None:
    refused(tokens, signed(tokens, claims(), headers), "header is not ours|signature")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "eddsa", "Ed25519", "", None])
def test_no_other_algorithm_is_tried(tokens: SupervisorTokens, algorithm: str | None) -> None:
    _, payload, signature = tokens.issue(BOX, NOW)[0].split(".")
    refused(tokens, f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{payload}.{signature}", "signature")


def test_a_mac_with_the_public_key_is_no_signature(tokens: SupervisorTokens) -> None:
    raw = tokens._public.public_bytes_raw()
    head = encoded({"alg": "HS256", "typ": "JWT"})
    refused(tokens, library.encode(claims(), raw, "HS256"), "shape|signature")
    refused(tokens, f"{head}.{encoded(claims())}.{'A' * 86}", "signature")


def test_every_changed_letter_is_noticed(tokens: SupervisorTokens) -> None:
    token, _ = tokens.issue(BOX, NOW)
    for place in range(0, len(token) - 1, 7):  # the last letter of a signature has two bits that mean nothing
        if token[place] != ".":
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            refused(tokens, changed, "not valid")


def test_other_shapes_are_refused_before_anything_is_parsed(tokens: SupervisorTokens) -> None:
    for token in (
        "",
        "x",
        "a.b.c",
        "a.b",
        "..",
        "a." + "b" * TOKEN_MAX + "." + "A" * 86,
        "ost_" + "a" * 43,
        "é.é." + "A" * 86,
    ):
        refused(tokens, token, "shape")


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    assert not looks_like_jwt(text)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / KEY_FILE).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(OpenShellError, match="Ed25519"):
        SupervisorTokens(tmp_path, "local")
