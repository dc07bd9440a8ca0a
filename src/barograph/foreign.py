"""Text that others wrote, made harmless before it reaches a terminal or a page."""

from collections.abc import Sequence
from json import dumps
from unicodedata import category

_OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def spelled_out(text: str) -> str:
    r"""The text with every character spelled out that a screen obeys instead of showing it.

    Control characters, escapes, marks that turn the direction of writing, half characters; but not
    line ends, tabs and spaces of any width. Bytes of a file's name that are no UTF-8 become \xff.
    The same text always gives the same one.
    """
    # By line: of a page of a megabyte hardly a line has a character that has to be looked at.
    return "\n".join(
        line if line.isprintable() else "".join(map(_shown, line)) for line in text.split("\n")
    )


def _shown(character: str) -> str:
    obeyed = character != "\t" and category(character) in _OBEYED
    return _escaped(character) if obeyed else character


def one_line(text: object) -> str:
    r"""What `str` makes of it as one printable line: line ends become \n, tabs \t."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else _escaped(each) for each in line)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python carries a byte of a name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def first_few(names: Sequence[str], most: int = 4, characters: int = 24) -> str:
    """The first names of a list as one printable line, long ones cut, and how many more there are.

    "no names" for an empty list.
    """
    shown = [
        name if len(name) <= characters else f"{name[:characters]}…"
        for name in map(one_line, names[:most])
    ]
    more = len(names) - len(shown)
    return (", ".join(shown) or "no names") + (f" and {more} more" if more else "")


def json_escaped(json_text: str) -> str:
    """JSON of the same value in which such characters are escaped: they stand in strings alone."""
    if json_text.isascii():
        return json_text
    return "".join(
        dumps(character)[1:-1] if category(character) in _OBEYED else character
        for character in json_text
    )
