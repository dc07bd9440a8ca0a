"""Barograph as it was before its newest feature: the package's sources with one feature fewer."""

import os
import re
import shutil
import subprocess
import sys

from barograph.sources import PACKAGE

_OF_THE_FEATURE = re.compile(
    r"^.*(_VOLUME_CHANGE_300 = |volume_24h_change_300, _VOLUME|\"volume_24h_change_300\""
    r"|volume_24h_change_300 = ).*\n",
    re.MULTILINE,
)
_ITS_WINDOWS = 'for w in (60, 300):\n        yield Feature(\n            f"volume_24h_change_{w}s"'


def older_package(folder):
    """Copy the sources into a folder and take a feature, with its state, out; returns the folder.

    What CONTRIBUTING names for a new feature is done backwards: its row in the catalogue, its field
    in the state, and its lines in `push` and `write`.
    """
    package = folder / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    catalogue, flow = (package / "feature_set" / name for name in ("catalogue.py", "flow.py"))
    text = catalogue.read_text(encoding="utf-8")
    assert _ITS_WINDOWS in text
    shorter = _ITS_WINDOWS.replace("(60, 300)", "(60,)")
    catalogue.write_text(text.replace(_ITS_WINDOWS, shorter), encoding="utf-8")
    text, removed = _OF_THE_FEATURE.subn("", flow.read_text(encoding="utf-8"))
    assert removed == 4
    flow.write_text(text, encoding="utf-8")
    return folder


def run_older(folder, *words):
    """Run a verb of the older package; returns its standard output."""
    done = subprocess.run(
        [sys.executable, "-c", "from barograph.app.cli import main; main()", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
