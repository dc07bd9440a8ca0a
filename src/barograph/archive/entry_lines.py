"""An entry of the archive as one line of JSON, and back.

A frame stands in its line as it is when it is one line of JSON (`frame`), else as a string
(`text`), else as `base64`: byte for byte in each.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated

import msgspec

from barograph.codec import UNREADABLE
from barograph.files.lines import BadLine
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.entries import Answer, Closing, Dialect, Entry, Heard, Opening, Settlement
from barograph.venues.refusals import require_utf8

LONGEST_LINE_BYTES = 12 << 20
"""More than the longest frame or page that a feed takes, coded."""

_MOST_BRACKETS = 200
_NO_FRAME = msgspec.Raw()


class _Line(msgspec.Struct, omit_defaults=True):
    connection: str
    dialect: Dialect | None = None
    open: Opening | None = None
    closed: bool = False
    answer: str | None = None
    settled: str | None = None
    receive_time_ns: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    frame: msgspec.Raw = _NO_FRAME
    text: str | None = None
    base64: bytes = b""


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode


def entry_of(source: str, position: int, line: bytes | BadLine) -> Entry | DeadLetter:
    """Return a line's entry, or its dead letter; `position` is the line's number in the file."""
    if isinstance(line, BadLine):
        return line.letter(source, position)
    try:
        return _entry(_decode_line(line))
    except UNREADABLE as error:
        return BadLine(Fault.WRONG_SHAPE, str(error), line).letter(source, position)


def _entry(fields: _Line) -> Entry:
    if fields.open is not None:
        return fields.open
    if fields.settled is not None:
        return Settlement(fields.connection, fields.settled, fields.receive_time_ns)
    if fields.answer is None and (fields.closed or fields.dialect is None):
        return Closing(fields.connection)
    original = bytes(fields.frame) or fields.base64 if fields.text is None else fields.text.encode()
    frame = Frame(
        data=original, connection=fields.connection, receive_time_ns=fields.receive_time_ns
    )
    if fields.answer is not None:
        return Answer(fields.answer, frame)
    return Heard(frame, fields.dialect)  # type: ignore[arg-type]  # a closing has left above


def is_entry_line(line: bytes) -> bool:
    """Whether a line is one that this module wrote."""
    return line.startswith(b'{"connection":')


def renamed(entry: Entry, prefix: str) -> Entry:
    """Return an entry as one of a connection whose name has a prefix."""
    if isinstance(entry, (Heard, Answer)):
        frame = entry.frame
        frame = msgspec.structs.replace(frame, connection=prefix + frame.connection)
        if isinstance(entry, Heard):
            return Heard(frame, entry.dialect)
        return Answer(entry.product, frame)
    return msgspec.structs.replace(entry, connection=prefix + entry.connection)


def head_of(connection: str, dialect: Dialect) -> bytes:
    """Return the beginning that the lines of all frames of a connection share."""
    return _encode({"connection": connection, "dialect": dialect})[:-1]


def with_body(head: bytes, frame: Frame) -> bytes:
    """Return the line of a frame from its head and the frame's body."""
    received_ns = frame.receive_time_ns
    if received_ns is not None:
        head = b'%b,"receive_time_ns":%d' % (head, received_ns)
    if _stands_as_it_is(frame.data):
        return b'%b,"frame":%b}\n' % (head, frame.data)
    return b"%b,%b}\n" % (head, _coded(frame.data))


def with_bodies(head: bytes, frames: Sequence[bytes]) -> bytes:
    """Return the lines of frames without a receive time, each an object of JSON in one line."""
    lines = b"\n".join(frames)
    if lines.count(b"{") + lines.count(b"[") >= len(frames) + _MOST_BRACKETS:  # perhaps all in one
        return b"".join(with_body(head, Frame(data=frame, connection="")) for frame in frames)
    head += b',"frame":'
    return head + lines.replace(b"\n", b"}\n" + head) + b"}\n"


def line_of(entry: Entry) -> bytes:
    """Return an entry as its line of JSON."""
    if isinstance(entry, Heard):
        return with_body(head_of(entry.frame.connection, entry.dialect), entry.frame)
    if isinstance(entry, Answer):
        connection = entry.frame.connection
        head = _encode({"connection": connection, "answer": entry.product})[:-1]
        return with_body(head, entry.frame)
    if isinstance(entry, Settlement):
        settled = _Line(entry.connection, settled=entry.product)
        settled.receive_time_ns = entry.receive_time_ns
        return _encode(settled) + b"\n"
    if isinstance(entry, Opening):
        return _encode(_Line(entry.connection, open=entry)) + b"\n"
    return _encode(_Line(entry.connection, closed=True)) + b"\n"


def _stands_as_it_is(frame: bytes) -> bool:
    """Whether a frame is an object of JSON in one line."""
    if b"\n" in frame or frame[:1] != b"{" or frame[-1:] != b"}":
        return False
    # Many brackets may be nested deeper than a later reader's stack allows.
    if frame.count(b"{") + frame.count(b"[") > _MOST_BRACKETS:
        return False
    try:
        require_utf8(frame)
        _decode_raw(frame)
    except UNREADABLE:
        return False
    return True


def _coded(frame: bytes) -> bytes:
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        return b'"base64":"%b"' % b64encode(frame)
    coded = _encode(text)
    # Control characters take six bytes each in JSON: a line's length stays bounded.
    if len(coded) > 2 * len(frame) + 2:
        return b'"base64":"%b"' % b64encode(frame)
    return b'"text":%b' % coded
