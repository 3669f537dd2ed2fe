from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.status import (
    DETAILS,
    MESSAGE_MAX,
    TABLE,
    GrpcStatus,
    RemoteError,
    clean,
    code_of,
    decode_details,
    decode_message,
    encode_message,
    error_of_status,
    status_fields,
    status_of,
    status_of_error,
)


def test_the_table_has_every_code_and_every_status_once() -> None:
    assert [code for code, _, _ in TABLE] == list(Code)
    read = [status for _, sent, others in TABLE for status in (sent, *others)]
    assert sorted(read) == [status for status in GrpcStatus if status is not GrpcStatus.OK]


@pytest.mark.parametrize("code", list(Code))
def test_what_is_sent_for_a_code_is_read_as_it(code: Code) -> None:
    assert code_of(status_of(code)) is code
    status, text = status_of_error(OpenShellError(code, "what failed", hint="do this"))
    error = error_of_status(status, text)
    assert (error.code, error.message, error.status) == (code, "what failed (do this)", status)


def test_a_remote_error_is_passed_on_with_its_own_status() -> None:
    error = RemoteError(GrpcStatus.UNIMPLEMENTED, "not here")
    assert error.code is Code.PRECONDITION
    assert status_of_error(error) == (GrpcStatus.UNIMPLEMENTED, "not here")


@pytest.mark.parametrize("number", [-1, 17, 1000])
def test_an_unknown_number_is_unknown(number: int) -> None:
    assert error_of_status(number, "x").status is GrpcStatus.UNKNOWN


def test_ok_is_no_error_so_it_is_unknown_as_one() -> None:
    assert error_of_status(0, "").status is GrpcStatus.UNKNOWN


def test_an_empty_message_names_who_answered_what() -> None:
    assert error_of_status(14, "", "the gateway").message == "the gateway answered unavailable"
    assert error_of_status(7, "\n").message == "the peer answered permission denied"


@pytest.mark.parametrize(
    "hostile",
    ["a\x1b[31mb", "a\x9b31mb", "a\r\nb", "a\x07b", "a\x00b", "a\u202eb", "a\u2028b", "a\x7fb"],
)
def test_control_characters_of_a_peer_never_reach_a_terminal(hostile: str) -> None:
    shown = error_of_status(2, hostile).message
    assert shown.isprintable()
    assert shown[0] == "a"
    assert shown[-1] == "b"


def test_clean_keeps_at_most_so_much() -> None:
    assert clean("x" * 100, 10).startswith("x" * 10)
    assert len(clean("x" * 100, 10)) < 40
    assert clean("  \u00e9t\u00e9 \n") == "\u00e9t\u00e9"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_message_survives_the_header(text: str) -> None:
    value = encode_message(text)
    assert all(0x20 <= byte <= 0x7E for byte in value)
    assert value.strip() == value  # as every field value
    assert decode_message(value) == text


@pytest.mark.parametrize("cut", range(4))
def test_a_long_message_is_cut_between_characters(cut: int) -> None:
    text = "x" * (MESSAGE_MAX - cut) + "\U0001f600\U0001f600"
    decoded = decode_message(encode_message(text))
    assert text.startswith(decoded)
    assert MESSAGE_MAX - 4 < len(decoded.encode()) <= MESSAGE_MAX


def test_a_lone_surrogate_is_replaced() -> None:
    assert encode_message("\ud800") == b"?"


@pytest.mark.parametrize(("value", "text"), [(b"50%", "50%"), (b"%zz", "%zz"), (b"%ff", "\ufffd"), (b"a%20b", "a b")])
def test_what_is_not_valid_encoding_is_kept_as_well_as_can_be(value: bytes, text: str) -> None:
    assert decode_message(value) == text


@pytest.mark.parametrize("text", [" ", "   ", " a b ", "a ", "\t x"])
def test_white_space_at_an_end_arrives(text: str) -> None:
    value = encode_message(text)
    assert value.strip() == value
    assert decode_message(value) == text


def test_the_fields_of_a_status() -> None:
    assert status_fields(GrpcStatus.OK) == [(b"grpc-status", b"0")]
    fields = dict(status_fields(GrpcStatus.NOT_FOUND, "no", b"\x08\x05"))
    assert fields == {b"grpc-status": b"5", b"grpc-message": b"no", DETAILS: b"CAU"}
    assert decode_details(fields[DETAILS]) == decode_details(b"CAU=") == b"\x08\x05"


def test_details_that_are_not_base64_are_none() -> None:
    assert decode_details(b"!!") == b""
