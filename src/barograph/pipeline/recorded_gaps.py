"""Gaps among the many records of a source, found without decoding all of them."""

from barograph import codec
from barograph.codec import UnreadableError
from barograph.types import Gap, Record

_BEGINNING = b'{"type":"gap/'


def gap_of(record: Record) -> Gap | None:
    """The gap that a record of a market's source is; None for any other, and for a damaged one."""
    if not record.value.startswith(_BEGINNING):
        return None
    try:
        event = codec.decode_event.of(record)
    except UnreadableError:
        return None  # the featurizer writes a dead letter for it
    return event if isinstance(event, Gap) else None
