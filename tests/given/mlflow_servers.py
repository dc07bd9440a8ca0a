"""A real MLflow tracking server on this machine, with accounts, to be killed and started again."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode

from local_ports import free_port, listens
from waiting import LIMIT_S, until

USER, PASSWORD = "admin", "a password of tests"
_NEEDED = ("flask", "flask_cors", "flask_wtf", "aiohttp")
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def missing():
    """Why no server can start here; empty where one can."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return f"a server of MLflow needs {', '.join(absent)}" if absent else ""


class MlflowServer:
    """`mlflow server --app-name basic-auth` in `folder`; it ends with its `with` block.

    Its database is a copy of that of `made_home`, since making one takes seconds. prefix: the path
    that all its addresses begin with, as at a host of many. bucket: an s3:// folder whose files it
    does not hand over.
    """

    def __init__(self, folder, made_home, *, prefix="", bucket=""):
        self._folder, self._port, self._prefix = folder, free_port(), prefix
        self._files = ["--artifacts-destination", f"{folder}/artifacts"]
        if bucket:
            self._files = ["--no-serve-artifacts", "--default-artifact-root", bucket]
        self.address = f"http://127.0.0.1:{self._port}{prefix}"
        shutil.copyfile(made_home / "registry" / "mlflow.db", folder / "mlflow.db")
        (folder / "accounts.ini").write_text(
            "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
            f"database_uri = sqlite:///{folder}/accounts.db\nadmin_password = {PASSWORD}\n"
            # Else each request takes the hash of a password, a tenth of a second.
            "auth_cache_ttl_seconds = 600\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        self._process = None

    def variables(self, password=PASSWORD):
        """The environment of who uses it."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": password,
        }

    def start(self):
        """Start it, and wait until it has answered: its first answers take it longest."""
        words = ["--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        words += ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        words += [*self._files, *(["--static-prefix", self._prefix] if self._prefix else [])]
        ours = {
            "MLFLOW_AUTH_CONFIG_PATH": f"{self._folder}/accounts.ini",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of tests",
        }
        environment = {
            name: text for name, text in os.environ.items() if not name.startswith("MLFLOW_")
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *words, "--app-name", "basic-auth"],
                env=environment | _QUIET | ours,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            return listens(self._port)

        until(answers, pause_s=0.05)
        coded = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        for what in ("registered-models/search", "experiments/search"):
            url = f"{self.address}/api/2.0/mlflow/{what}?max_results=1"
            headers = {"Authorization": f"Basic {coded}"}
            asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - of this machine
            with urllib.request.urlopen(asked, timeout=LIMIT_S) as answer:  # noqa: S310 - as above
                answer.read()

    def artifacts(self, name, content):
        """Where the server keeps files of this name and content."""
        files = (self._folder / "artifacts").rglob(name)
        return [path for path in files if path.read_bytes() == content][-1:]

    def kill(self):
        """End it with all its processes, at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            until(lambda: not listens(self._port))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
