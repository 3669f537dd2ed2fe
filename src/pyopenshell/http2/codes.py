"""The numbers of RFC 9113: frame types, flags, settings, error codes.

Nothing here decides anything. Frame types, flags and settings are plain integers, because they are compared once for
every frame; error codes are an enum, because people read them in reasons and logs.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Role(Enum):
    """Which end of the connection we are. It decides who speaks the preface and who owns the odd stream ids."""

    CLIENT = "client"
    SERVER = "server"


class ErrorCode(IntEnum):
    """RFC 9113 section 7. An unknown code of a peer is treated as INTERNAL_ERROR, as that section allows."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD

    @classmethod
    def _missing_(cls, _value: object) -> ErrorCode:
        return cls.INTERNAL_ERROR


# Frame types, section 6.
DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

# Flags, section 6. ACK and END_STREAM share a bit: no frame type has both.
END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20

# Settings, section 6.5.2.
SETTINGS_HEADER_TABLE_SIZE = 0x1
SETTINGS_ENABLE_PUSH = 0x2
SETTINGS_MAX_CONCURRENT_STREAMS = 0x3
SETTINGS_INITIAL_WINDOW_SIZE = 0x4
SETTINGS_MAX_FRAME_SIZE = 0x5
SETTINGS_MAX_HEADER_LIST_SIZE = 0x6

#: Section 3.4: the first bytes of every client, chosen so that an HTTP/1 server gives up on them.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

#: Section 4.1: length (24 bits), type, flags, stream id.
FRAME_HEADER_BYTES = 9
#: Section 6.9.1: no window may pass this; also the largest stream id (section 5.1.1).
MAX_WINDOW = 2**31 - 1
MAX_STREAM_ID = 2**31 - 1
#: Section 6.9.2: every window starts here until somebody says otherwise.
DEFAULT_WINDOW = 65_535
#: Section 4.2: the frame size that every endpoint must take, and the largest that a setting can allow.
MIN_MAX_FRAME = 2**14
MAX_MAX_FRAME = 2**24 - 1
