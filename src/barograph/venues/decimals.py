"""Decimal numbers of strangers, written out: their exponents may ask for a gigabyte of digits."""

from decimal import Decimal

_LONGEST_EXPONENT = 40


def is_short(number: Decimal) -> bool:
    """Whether a number can be written out: it is finite and within 1e-40 and 1e41."""
    return number.is_finite() and abs(number.adjusted()) <= _LONGEST_EXPONENT


def plain(number: Decimal, otherwise: str) -> str:
    """Return the digits of a number without an exponent; `otherwise` where it is not short."""
    return f"{number:f}" if is_short(number) else otherwise
