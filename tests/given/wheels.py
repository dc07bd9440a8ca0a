"""The package as it is published: wheel and sdist, built and installed into empty environments.

As a script (`make wheel`) it builds both into a folder, and asks each for its help from an
environment of its own: the wheel with the oldest packages that it allows, the sdist with the
newest.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 900.0
OLDEST, NEWEST = "lowest-direct", "highest"
"""How uv resolves what the package needs."""


def build(folder):
    """Build the sdist and, of it, the wheel; returns (wheel, sdist)."""
    _run([_uv(), "build", "--quiet", "--out-dir", folder, ROOT])
    [wheel], [sdist] = Path(folder).glob("*.whl"), Path(folder).glob("*.tar.gz")
    return wheel, sdist


def missing_in(wheel):
    """What a wheel lacks of the sources' files, whatever their kind, and of its metadata."""
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        [entries] = [name for name in names if name.endswith("entry_points.txt")]
        has_script = "barograph = barograph.app.cli:main" in packed.read(entries).decode()
    sources = ROOT / "src"
    files = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(files - names) + ([] if has_script else ["the console script"])


def installed(package, folder, resolution, python=sys.executable):
    """Install a wheel or an sdist into a new environment; returns the folder of its programs."""
    _run([_uv(), "venv", "--quiet", "--python", python, folder])
    words = [_uv(), "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    _run([*words, "--resolution", resolution, package])
    return folder / "bin"


def alone(folder):
    """The environment of a process that finds nothing of this checkout."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(folder)}


def interpreters():
    """Pythons of the supported versions that are here: version → program."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        least = re.search(r"3\.(\d+)", tomllib.load(file)["project"]["requires-python"])
    found = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(int(least[1]), 15):
        name = f"python3.{minor}"
        candidates = [sys.executable] if sys.version_info[1] == minor else []
        candidates += [path for path in [shutil.which(name)] if path]
        candidates += sorted(pyenv.glob(f"3.{minor}.*/bin/{name}"))
        for candidate in candidates:
            words = [candidate, "-c", "import ssl, sqlite3, venv"]
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                found[f"3.{minor}"] = str(candidate)
                break
    return found


def resolved(version):
    """What a new installation on a Python that need not be here takes of the registry's wheels.

    Raises AssertionError where a package has none for it.
    """
    words = [_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    of = ["--python-version", version, "--python-platform", "x86_64-manylinux_2_28"]
    return _run([*words, *of, "--only-binary", ":all:", "pyproject.toml"]).splitlines()


def _uv():
    beside = Path(sys.executable).with_name("uv")
    return beside if beside.exists() else "uv"


def _run(words):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, words)],
        capture_output=True, check=False, cwd=ROOT, env=environment, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    built = build(Path(sys.argv[1]))
    assert not (lacking := missing_in(built[0])), lacking
    for package, resolution in zip(built, (OLDEST, NEWEST), strict=True):
        with tempfile.TemporaryDirectory() as place:
            programs = installed(package, Path(place) / "env", resolution)
            words = [programs / "barograph", "--help"]
            subprocess.run(
                words, check=True, cwd=place, env=alone(place), stdout=subprocess.DEVNULL
            )
        size = package.stat().st_size / 1e6
        print(f"{package}: {size:.1f} MB, installed with {resolution} packages and answers")
