"""Makes build/scoping_brief.pdf of docs/scoping_brief.md: A4, for readers without the repository.

WeasyPrint draws it with the Pango of the system. Where that is missing, it is installed if we may,
which means as root on Debian; else one line says what to do.
"""

import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "scoping_brief.md"
STYLE = ROOT / "docs" / "brief.css"
PDF = ROOT / "build" / "scoping_brief.pdf"

LIBRARIES = ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset")
PACKAGES = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core")
ADVICE = f"On Debian: apt-get install {' '.join(PACKAGES)}; on macOS: brew install pango"


def page(text: str) -> str:
    """The Markdown as HTML. A link to another page of the repository keeps its words only."""
    reader = MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(text)
    for token in tokens:
        for part in token.children or ():
            if part.type == "link_open" and "://" not in str(part.attrs["href"]):
                del part.attrs["href"]
    title = next(token.content for token in tokens if token.type == "inline")
    body = reader.renderer.render(tokens, reader.options, {})
    return f'<html lang="en"><head><title>{title}</title></head><body>{body}</body></html>'


def missing() -> list[str]:
    """The libraries of the system that WeasyPrint needs and that are not there."""
    return [name for name in LIBRARIES if find_library(name) is None]


def install() -> None:
    """Install them where we may; else leave with a line that says what to do."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"The PDF is drawn with Pango; not found: {', '.join(missing())}. {ADVICE}")
    print(f"Installing {' '.join(PACKAGES)}: the PDF is drawn with them", flush=True)
    apt = ["apt-get", "-qq"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], check=True, env=quiet)
    command = [*apt, "install", "-y", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, check=True, env=quiet)


def draw(target: Path) -> None:
    """Write the PDF. The libraries must be there."""
    from weasyprint import CSS, HTML  # noqa: PLC0415 - loads Pango when it is imported

    target.parent.mkdir(parents=True, exist_ok=True)
    html = HTML(string=page(SOURCE.read_text(encoding="utf-8")))
    html.write_pdf(target, stylesheets=[CSS(filename=STYLE)])


def main() -> None:
    """`make brief`."""
    if missing():
        install()
    draw(PDF)
    print(PDF.relative_to(ROOT))


if __name__ == "__main__":
    main()
