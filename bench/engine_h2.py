"""The cases of `bench/engine.py`, done by the `h2` library, as its documentation shows it."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from h2.settings import SettingCodes

from bench.engine_cases import MESSAGES, REQUEST, RESPONSE, TRAILERS, Step
from pyopenshell.http2 import encode_prefix
from pyopenshell.http2.codes import MAX_WINDOW
from pyopenshell.http2.frame_writer import frame_header, window_update


def pair() -> tuple[H2Connection, H2Connection]:
    """A client and a server that have shaken hands."""
    client = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    for one in (client, server):
        one.initiate_connection()
        one.update_settings({SettingCodes.MAX_FRAME_SIZE: 2**20, SettingCodes.INITIAL_WINDOW_SIZE: MAX_WINDOW})
        one.increment_flow_control_window(MAX_WINDOW - 65_535)
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    return client, server


def data_in(frame: int, chunk: int) -> Step:
    """See `engine_ours`."""
    client, server = pair()
    stream_id = client.get_next_available_stream_id()
    client.send_headers(stream_id, REQUEST)
    server.receive_data(client.data_to_send())
    count = max(1, chunk // frame)
    wire = (frame_header(frame << 8, 0, stream_id) + bytes(frame)) * count
    chunks = [wire[at : at + chunk] for at in range(0, len(wire), chunk)]

    def step() -> tuple[int, object]:
        made: list[object] = []
        for part in chunks:
            events = server.receive_data(part)
            for event in events:
                if type(event) is DataReceived:
                    server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            made.append(events)
        made.append(server.data_to_send())
        return count, made

    return step


def data_out(frame: int, batch: int) -> Step:
    """See `engine_ours`. The prefix is joined to its message: `h2` sends one buffer."""
    client, server = pair()
    stream_id = client.get_next_available_stream_id()
    client.send_headers(stream_id, REQUEST)
    server.receive_data(client.data_to_send())
    payload, prefix = bytes(frame - 5), encode_prefix(frame - 5)
    takes = MESSAGES // batch
    spent = 0

    def step() -> tuple[int, object]:
        nonlocal spent
        if spent > MAX_WINDOW // 4:
            client.receive_data(window_update(stream_id, spent) + window_update(0, spent))
            spent = 0
        made = []
        for _ in range(takes):
            for _ in range(batch):
                client.send_data(stream_id, prefix + payload)
            made.append(client.data_to_send())
        spent += frame * MESSAGES
        return MESSAGES, made

    return step


def unary(message: bytes) -> Step:
    """See `engine_ours`."""
    client, server = pair()
    prefix = encode_prefix(len(message))

    def step() -> tuple[int, object]:
        stream_id = client.get_next_available_stream_id()
        client.send_headers(stream_id, REQUEST)
        client.send_data(stream_id, prefix + message, end_stream=True)
        asked = server.receive_data(client.data_to_send())
        server.send_headers(stream_id, RESPONSE)
        server.send_data(stream_id, prefix + message)
        server.send_headers(stream_id, TRAILERS, end_stream=True)
        return 1, (asked, client.receive_data(server.data_to_send()))

    return step


def open_close() -> Step:
    """See `engine_ours`."""
    client, server = pair()

    def step() -> tuple[int, object]:
        stream_id = client.get_next_available_stream_id()
        client.send_headers(stream_id, REQUEST, end_stream=True)
        asked = server.receive_data(client.data_to_send())
        server.send_headers(stream_id, RESPONSE + TRAILERS, end_stream=True)
        return 1, (asked, client.receive_data(server.data_to_send()))

    return step
