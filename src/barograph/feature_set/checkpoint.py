"""The bytes in which a state is kept: its layout, a checksum, the state."""

import hashlib
from zlib import crc32

import msgspec
import numpy as np

_CHECKSUM_BYTES = 4


def layout_of(dtype: np.dtype[np.void], feature_set: str, meaning: int) -> str:
    """Identifies what a state's bytes mean, in 16 characters.

    Changes with the feature set, with each field's place and type, and with `meaning`, which counts
    changes of what fields mean whose names and types stay.
    """
    fields = dict(dtype.fields or {})
    places = [(name, part[0].base.str, part[0].shape, part[1]) for name, part in fields.items()]
    meant = [meaning, feature_set, dtype.itemsize, places]
    return hashlib.sha256(msgspec.json.encode(meant)).hexdigest()[:16]


def seal(layout: str, body: bytes) -> bytes:
    """A checkpoint of a state's bytes."""
    return layout.encode() + crc32(body).to_bytes(_CHECKSUM_BYTES, "little") + body


def unseal(layout: str, itemsize: int, checkpoint: bytes) -> bytes | None:
    """The bytes that `seal` was given; None where they are damaged or of another layout."""
    body = checkpoint[len(layout) + _CHECKSUM_BYTES :]
    return body if len(body) == itemsize and seal(layout, body) == checkpoint else None
