"""Builds the documentation as a site, `build/site`, from the pages as they stand in the repository.

`make docs-site` runs it. Pages are staged in `build/pages` first: pages outside of `docs/` join
them, links follow, and drawings become a part of their page, so that they take its colours. A link
that leads nowhere ends the build.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "deploy/README.md": "deploy.md",
}
"""Pages outside of `docs/`, and what they are called on the site."""

FOLDERS = {
    "docs/decisions": "decisions.md",
    "docs/gallery": "notebooks.md",
    "docs/json": "json-schemas.md",
    "docs/runbooks": "operations.md",
}
"""Folders that pages link to, and the page that lists what is in them."""

ASSETS = {".css", ".json", ".png", ".svg", ".toml"}

_NOTEBOOKS = runpy.run_path(str(DOCS / "notebook_files.py"))

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_PAGE = re.compile(r"\]\(((?![a-z]+:)[^)\s#]+)\.md(#[^)\s]*)?\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


class BrokenLinkError(Exception):
    """A link of a page that leads to no file of the repository."""


def sources() -> dict[str, str]:
    """Path of each page in the repository → its path on the site."""
    own = {
        path.relative_to(ROOT).as_posix(): path.relative_to(DOCS).as_posix()
        for path in sorted(DOCS.rglob("*.md"))
    }
    return own | ELSEWHERE


def staged(source: str, text: str, sites: dict[str, str]) -> str:
    """The text of a page with its links as they are on the site; code stays as it is.

    A link to a file of the repository that is not on the site keeps its words only.

    Raises:
        BrokenLinkError: a link leads to a file that does not exist.
    """
    parts = _FENCED.split(text)
    parts[::2] = [_LINK.sub(lambda link: _led(source, link, sites), part) for part in parts[::2]]
    return "".join(parts)


def _led(source: str, link: re.Match[str], sites: dict[str, str]) -> str:
    """A link of `source`, as Markdown, with its target on the site."""
    picture, words, target = link.groups()
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return link[0]
    name, _, anchor = target.partition("#")
    place = os.path.normpath(PurePosixPath(source).parent / name)
    if not (ROOT / place).exists():
        raise BrokenLinkError(f"{source}: {target} leads nowhere")
    if picture and place.startswith("docs/pictures/"):
        return _drawn(ROOT / place, words)
    on_site = sites.get(place) or FOLDERS.get(place) or _asset(place)
    if on_site is None:
        return words
    here = PurePosixPath(sites[source]).parent
    relative = os.path.relpath(on_site, here)
    return f"{picture}[{words}]({relative}{'#' * bool(anchor)}{anchor})"


def _asset(place: str) -> str | None:
    """The place on the site of a file of `docs/` that is no page; None for any other."""
    path = PurePosixPath(place)
    if path.parts[0] == "docs" and path.suffix in ASSETS:
        return path.relative_to("docs").as_posix()
    return None


def _drawn(path: Path, words: str) -> str:
    """A picture as a part of the page, without colours of its own."""
    drawing = re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    drawing = drawing[drawing.index("<svg") :].replace("\n", "")
    label = words.replace('"', "&quot;")
    return (
        f'<figure class="drawing" role="img" tabindex="0" aria-label="{label}">{drawing}</figure>'
    )


def notebook(text: str) -> str:
    """A page of the gallery, as it is on the site, as a notebook of Jupyter."""
    made = _NOTEBOOKS["notebook"](_PAGE.sub(r"](\1.html\2)", text))
    return json.dumps(made, indent=1) + "\n"


def listing(folder: str, title: str, pattern: str) -> str:
    """A page that lists the files of a folder of `docs/` by their titles."""
    lines = [f"# {title}", ""]
    for path in sorted((DOCS / folder).glob(pattern)):
        heading = _TITLE.search(path.read_text(encoding="utf-8")) if path.suffix == ".md" else None
        lines.append(f"- [{heading[1] if heading else path.name}]({folder}/{path.name})")
    return "\n".join([*lines, ""])


def stage(folder: Path) -> None:
    """Write every page and what pages show into `folder`, anew.

    Raises:
        BrokenLinkError: a link leads to a file that does not exist.
    """
    shutil.rmtree(folder, ignore_errors=True)
    sites = sources()
    pages = {
        site: staged(source, (ROOT / source).read_text(encoding="utf-8"), sites)
        for source, site in sites.items()
    }
    pages["decisions.md"] = listing("decisions", "Decisions", "*.md")
    pages["json-schemas.md"] = listing("json", "JSON schemas", "*.json")
    of_gallery = [site for site in pages if site.startswith("gallery/")]
    files = {site.replace(".md", ".ipynb"): notebook(pages[site]) for site in of_gallery}
    for site in of_gallery:
        offer = f"[This page as a notebook]({PurePosixPath(site).stem}.ipynb)"
        pages[site] = _TITLE.sub(rf"\g<0>\n\n{offer}", pages[site], count=1)
    for site, text in (pages | files).items():
        (folder / site).parent.mkdir(parents=True, exist_ok=True)
        (folder / site).write_text(text, encoding="utf-8")
    for path in DOCS.rglob("*"):
        if path.suffix in ASSETS:
            target = folder / path.relative_to(DOCS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def build(folder: Path) -> int:
    """Stage the pages and build the site, both below `folder`; returns the builder's exit code."""
    stage(folder / "pages")
    shutil.copyfile(DOCS / "mkdocs.yml", folder / "mkdocs.yml")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(build(ROOT / "build"))
    except BrokenLinkError as error:
        sys.exit(str(error))
