"""Writes the pages of `docs/gallery/` as notebooks for Jupyter; `make gallery` runs it.

A page is what is kept: its diff can be read, its links are checked, and the documentation's site
shows it. A block of Python becomes a cell, a block of `sh` a cell that runs in the shell (`%%sh`),
and the text between them a cell of Markdown. Jupyter with jupytext opens the pages as they are.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GALLERY = ROOT / "docs" / "gallery"

_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TO_PAGE = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


def notebook(text: str) -> dict[str, Any]:
    """A page as a notebook of Jupyter's format 4.5, without anything that a cell has shown."""
    cells = [
        _cell(number, kind, source) for number, (kind, source) in enumerate(_parts(text), start=1)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """(kind, source) of each cell, in order; none is empty."""
    before, *rest = _BLOCK.split(text)
    pieces = [("markdown", before)]
    for kind, code, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        pieces += [(kind, f"%%sh\n{code}" if kind == "sh" else code), ("markdown", after)]
    yield from ((kind, source.strip("\n")) for kind, source in pieces if source.strip())


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    cell: dict[str, Any] = {"id": f"cell-{number:02}", "metadata": {}, "source": lines}
    if kind == "markdown":
        return cell | {"cell_type": "markdown"}
    return cell | {"cell_type": "code", "execution_count": None, "outputs": []}


def led_from_build(text: str) -> str:
    """The text with links that lead from `build/gallery` to the pages of the repository."""

    def led(link: re.Match[str]) -> str:
        name, mark, anchor = link[1].partition("#")
        if "/" not in name:
            return f"]({name.removesuffix('.md')}.ipynb{mark}{anchor})"
        return f"](../../docs/{name.removeprefix('../')}{mark}{anchor})"

    return _TO_PAGE.sub(led, text)


def write(folder: Path) -> list[Path]:
    """Write a notebook for each page of the gallery; returns their paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in sorted(GALLERY.glob("*.md")):
        made = notebook(led_from_build(page.read_text(encoding="utf-8")))
        path = folder / f"{page.stem}.ipynb"
        path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "gallery"):
        print(path)
