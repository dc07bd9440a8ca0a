"""Apply the rules of `.github/rulesets/` to the repository on GitHub, by its `gh` command.

Each file is one ruleset, known there by its name: made if it is not there yet, else replaced. Needs
`gh` with the right to administer the repository; `--dry-run` prints the calls and makes none.
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

RULESETS = Path(__file__).resolve().parent.parent / ".github" / "rulesets"


def calls(files: list[Path], known: dict[str, int]) -> list[tuple[str, ...]]:
    """The `gh` command of each file. known: ids of the rulesets there are, by name."""
    commands = []
    for file in files:
        number = known.get(json.loads(file.read_text(encoding="utf-8"))["name"])
        method = "POST" if number is None else "PUT"
        place = "repos/{owner}/{repo}/rulesets" + ("" if number is None else f"/{number}")
        commands.append(("gh", "api", "--method", method, place, "--input", str(file)))
    return commands


def rulesets_there() -> dict[str, int]:
    """Names and ids of the repository's own rulesets. Raises CalledProcessError."""
    words = ("gh", "api", "--paginate", "repos/{owner}/{repo}/rulesets?includes_parents=false")
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return {each["name"]: each["id"] for each in listed}


def main() -> None:
    """Apply every file, or print how."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print the calls and make none")
    dry = parser.parse_args().dry_run
    for words in calls(sorted(RULESETS.glob("*.json")), {} if dry else rulesets_there()):
        print(" ".join(words))
        if not dry:
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
