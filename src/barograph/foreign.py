"""Text that others wrote, made harmless before it reaches a terminal or a page."""

from json import dumps
from unicodedata import category

_OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def spelled_out(text: str, kept: str = "\n\t") -> str:
    """The text with every character spelled out that a screen obeys instead of showing it.

    Control characters, escapes, marks that turn the direction of writing, half characters; but not
    those that are `kept`.
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if category(character) in _OBEYED and character not in kept
        else character
        for character in text
    )


def one_line(text: str) -> str:
    """The same on one line."""
    return spelled_out(text, kept="")


def json_escaped(json_text: str) -> str:
    """JSON of the same value in which such characters are escaped: they stand in strings alone."""
    if json_text.isascii():
        return json_text
    return "".join(
        dumps(character)[1:-1] if category(character) in _OBEYED else character
        for character in json_text
    )
