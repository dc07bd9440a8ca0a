"""Write the part of CHANGELOG.md about one release, for its page.

    python deploy/release_notes.py v1.2.3 build/release_notes.md

Refuses a tag that is not the version of pyproject.toml, and one that the changelog does not have
with a date.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def notes(tag: str, changelog: str, version: str) -> str:
    """The section of `tag` without its heading. Raises ValueError, which says why not."""
    if tag != f"v{version}":
        raise ValueError(f"{tag} is not v{version}, the version of pyproject.toml")
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, text = section.partition("\n")
        if heading.split()[0] == version:
            if not re.fullmatch(r"\S+ \(\d{4}-\d\d-\d\d\)", heading):
                raise ValueError(f"CHANGELOG.md has no date for {version}: {heading}")
            return text.strip() + "\n"
    raise ValueError(f"CHANGELOG.md has nothing about {version}")


def main(tag: str, out: str) -> None:
    """Write the notes of `tag` to the file `out`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    try:
        text = notes(tag, changelog, project["version"])
    except ValueError as error:
        sys.exit(str(error))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
