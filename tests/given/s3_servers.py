"""A real S3 server on this machine, from the environment of DVC, with an empty bucket."""

import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx

from brokers import free_ports
from waiting import until

BIN = Path(__file__).resolve().parents[2] / ".venv-dvc" / "bin"
BUCKET = "barograph"


def variables(address):
    """The environment of who uses it."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def s3_server(folder):
    """Yield its address; its log lies in `folder`."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    words = [BIN / "moto_server", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as out, subprocess.Popen(words, stdout=out, stderr=out) as run:
        try:

            def made():
                assert run.poll() is None
                try:
                    return httpx.put(f"{address}/{BUCKET}", timeout=30).status_code == 200
                except httpx.TransportError:
                    return False

            until(made, pause_s=0.1)
            yield address
        finally:
            run.send_signal(signal.SIGKILL)
