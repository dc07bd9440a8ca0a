"""What is published is whole: installed into an empty environment it records, scores and serves."""

import signal
import subprocess
import urllib.request
from contextlib import suppress

import pytest

from local_ports import free_port
from waiting import until
from wheels import (
    LIMIT_S,
    NEWEST,
    OLDEST,
    alone,
    build,
    installed,
    interpreters,
    missing_in,
    resolved,
)

pytestmark = pytest.mark.operations

FOUND = interpreters()
INSTALLS = [
    ("wheel", OLDEST, min(FOUND)),
    ("sdist", NEWEST, max(FOUND, key=lambda version: int(version[2:]))),
]
"""Each ends of what is supported: packages, and Pythons that are here."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return dict(zip(("wheel", "sdist"), build(tmp_path_factory.mktemp("built")), strict=True))


def test_the_wheel_has_every_file_of_the_package(built):
    assert missing_in(built["wheel"]) == []


@pytest.mark.parametrize("version", sorted(FOUND))
def test_the_wheel_answers_on_each_python_that_is_here(built, version, tmp_path):
    programs = installed(built["wheel"], tmp_path / "env", NEWEST, FOUND[version])
    for words in (("--help",), ("doctor", "--for", "report")):
        done = subprocess.run(
            [programs / "barograph", *words],
            capture_output=True, check=False, cwd=tmp_path, env=alone(tmp_path), text=True,
            timeout=LIMIT_S,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        assert done.stdout


def test_every_package_has_a_wheel_for_the_newest_python():
    assert len(resolved("3.14")) > 20


def get(address):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=60) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(("package", "resolution", "version"), INSTALLS)
def test_what_is_installed_records_scores_and_serves_its_page(
    built, package, resolution, version, tmp_path
):
    programs = installed(built[package], tmp_path / "env", resolution, FOUND[version])
    number = free_port()
    words = ("up", "--venue", "simulated", "--products", "BTC-USD", "--no-retrain")
    process = subprocess.Popen(
        [programs / "barograph", *words, "--port", str(number), "--home", "h", "--minutes", "60"],
        cwd=tmp_path,
        env=alone(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    address = f"http://127.0.0.1:{number}"

    def answered(path):
        with suppress(OSError):
            return get(address + path)
        return ""

    def predicted():
        assert process.poll() is None, process.stderr.read().decode()
        return '"verdict"' in answered("/v1/predictions")

    try:
        until(predicted, LIMIT_S, pause_s=0.2)
        page = get(address)
        assert "<title>" in page
        assert all(get(f"{address}/static/{name}") for name in ("page.js", "page.css"))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err.decode()
    assert b"Traceback" not in err
