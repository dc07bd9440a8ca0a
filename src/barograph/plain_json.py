"""Strings, natural numbers and decimals of plain JSON, read without making objects of them.

Plain is ASCII without escapes, and numbers that int64 and float64 hold exactly up to one division.
Readers return the place after what they read, or −1 where it is not plain. They stop at a newline,
so a block that ends with one is never left.
"""

from typing import Any

import numpy as np

from barograph.arrays import UInt8
from barograph.compiled import compiled

_QUOTE, _BACKSLASH, _SPACE, _POINT, _ZERO = 34, 92, 32, 46, 48
_EXACT = 1 << 53
_POWERS = 10.0 ** np.arange(19)  # exact in float64, as all up to 10²²


def words(name: bytes) -> tuple[int, int]:
    """Return the high and low word of a name of at most 16 bytes, as the readers see it."""
    number = int.from_bytes(name, "big")
    return number >> 64, number & (2**64 - 1)


@compiled
def word(block: UInt8, p: int) -> Any:
    """(place after the closing quote or −1, the last 16 bytes as two words, length).

    No byte is zero, so words that begin with one tell a shorter name from every longer one.
    """
    high = np.uint64(0)
    low = np.uint64(0)
    start = p
    while True:
        c = block[p]
        if c == _QUOTE:
            return p + 1, high, low, p - start
        if c < _SPACE or c > 126 or c == _BACKSLASH:
            return -1, high, low, 0
        high = high << np.uint64(8) | low >> np.uint64(56)
        low = low << np.uint64(8) | np.uint64(c)
        p += 1


@compiled
def count(block: UInt8, p: int) -> Any:
    """(place after it or −1, a natural number of at most 18 digits)."""
    start = p
    value = 0
    while np.uint8(block[p] - _ZERO) <= 9:
        value = value * 10 + int(block[p] - _ZERO)
        p += 1
    digits = p - start
    if digits == 0 or digits > 18 or (digits > 1 and block[start] == _ZERO):
        return -1, 0
    return p, value


@compiled
def decimal(block: UInt8, p: int) -> Any:
    """(place after the closing quote or −1, the float64 next to a plain decimal).

    A whole number up to 2⁵³ and a power of ten up to 10²² are exact, so their quotient is rounded
    once, as float() rounds. Source: Clinger (1990), PLDI: how to read floating point numbers.
    """
    start = p
    p, whole = count(block, p)
    if p < 0:
        return -1, 0.0
    digits = p - start
    places = 0
    if block[p] == _POINT:
        p += 1
        start = p
        while np.uint8(block[p] - _ZERO) <= 9:
            whole = whole * 10 + int(block[p] - _ZERO)
            p += 1
        places = p - start
        if places == 0 or digits + places > 18:
            return -1, 0.0
    if block[p] != _QUOTE or whole > _EXACT:
        return -1, 0.0
    return p + 1, whole / _POWERS[places]
