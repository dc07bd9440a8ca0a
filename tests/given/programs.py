"""Programs that tests and bench run beside Barograph: a browser, monitoring, systemd's checks, wrk.

As a script it installs those that are missing with apt-get, where it may, which means as root on
Debian; elsewhere it prints what would install them, and the tests that need them are skipped.
"""

import os
import shutil
import subprocess
import sys

PACKAGES = {
    "java": "default-jre-headless",
    "mvn": "maven",
    "chromium": "chromium",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "systemd-analyze": "systemd",
    "wrk": "wrk",
}
"""Program → the Debian package that has it."""

WHY = "the tests run a Kafka broker, a browser and Prometheus, the bench a generator of load"


def missing(*programs: str) -> str:
    """Why a test that needs these programs cannot run here; empty if it can."""
    absent = [name for name in programs or PACKAGES if shutil.which(name) is None]
    if not absent:
        return ""
    packages = " ".join(PACKAGES[name] for name in absent)
    return f"{', '.join(absent)} not found. On Debian: apt-get install {packages}"


def install() -> None:
    """Install what is missing, or print what to do. In CI a missing program is an error."""
    packages = [package for name, package in PACKAGES.items() if shutil.which(name) is None]
    if not packages:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"{missing()} ({WHY})", flush=True)
        sys.exit(1 if os.environ.get("CI") else 0)
    print(f"Installing {' '.join(packages)}: {WHY}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        command = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", *words]
        subprocess.run(command, check=True, env=quiet, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install()
