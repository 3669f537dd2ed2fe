from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.drivers.messages import pair
from pyopenshell.drivers.orders import (
    ORDER_DESCRIPTORS_MAX,
    ORDER_SIZE,
    Order,
    OrderKind,
    receive_order,
    send_order,
)

ID = "0b4f0c1e-6d3b-4a6e-9c58-1f2e3d4c5b6a"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = pair()
    with near, far:
        yield near, far


@pytest.mark.parametrize("kind", OrderKind)
def test_an_order_is_read_as_it_was_written(kind: OrderKind) -> None:
    data = Order(kind, ID, 2).encode()
    assert len(data) == ORDER_SIZE == 20
    assert Order.decode(data) == Order(kind, ID, 2)


@pytest.mark.parametrize("number", [0, ORDER_DESCRIPTORS_MAX + 1])
def test_a_number_of_descriptors_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="carries 1 to 8"):
        Order(OrderKind.INIT, ID, number).encode()


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        Order(OrderKind.INIT, "../etc").encode()


@given(st.binary(max_size=40))
def test_bytes_are_an_order_or_refused(data: bytes) -> None:
    try:
        order = Order.decode(data)
    except ValueError:
        return
    assert order.encode() == data


def test_descriptors_travel_with_the_order(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    reader, writer = os.pipe()
    send_order(near, OrderKind.ADMIT, ID, [reader, writer])
    got = receive_order(far)
    assert got is not None
    order, fds = got
    assert order == Order(OrderKind.ADMIT, ID, 2)
    assert [os.fstat(fd).st_ino for fd in fds] == [os.fstat(reader).st_ino] * 2
    assert not any(os.get_inheritable(fd) for fd in fds)
    for fd in (reader, writer, *fds):
        os.close(fd)


def test_the_end_is_none(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.close()
    assert receive_order(far) is None


@pytest.mark.parametrize("announced", [1, 3])
def test_another_number_of_descriptors_is_refused_and_none_stays_open(
    ends: tuple[socket.socket, socket.socket], announced: int
) -> None:
    near, far = ends
    socket.send_fds(near, [Order(OrderKind.INIT, ID, announced).encode()], [0, 0])
    with pytest.raises(ValueError, match=f"announced {announced} descriptors and carried 2"):
        receive_order(far)


@pytest.mark.parametrize("data", [b"x", b"x" * 21, b"x" * 4096])
def test_a_message_of_another_size_is_refused(ends: tuple[socket.socket, socket.socket], data: bytes) -> None:
    near, far = ends
    socket.send_fds(near, [data], [0])
    with pytest.raises(ValueError, match=r"more message|bytes"):
        receive_order(far)
