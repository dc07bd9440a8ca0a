"""A real Airflow with the DAGs of the repository: its command line, its processes, its API."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from barograph.registry.registry import Registry
from brokers import free_ports
from waiting import until

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv-airflow" / "bin"
LIMIT_S = 1500.0
"""How long a run may take; the machine may be busy."""

DONE = {"success", "failed"}
STAGES = ["extract", "quality_gate", "features", "profile", "train", "compare", "promote", "report"]
"""The tasks of the hourly pipeline, in their order."""


class Airflow:
    """An Airflow of its own in `place`; `settings` are its environment variables beside ours."""

    def __init__(self, place, **settings):
        self.place, self._processes, self.tested = place, None, None
        port, *log_ports = free_ports(3)
        self.address = f"http://127.0.0.1:{port}"
        of_airflow = {
            "CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__PARALLELISM": "2",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place}/airflow.db",
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__WORKERS": "1",
            "LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
            # A task whose process was killed is seen to be gone after so many seconds.
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        }
        self._environment = {
            **os.environ,
            **{f"AIRFLOW__{name}": value for name, value in of_airflow.items()},
            "AIRFLOW_HOME": str(place),
            "PATH": os.pathsep.join(
                [str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            **settings,
        }

    def __enter__(self):
        self.call("db", "migrate")
        self.call("pools", "import", ROOT / "deploy" / "airflow" / "pools.json")
        return self

    def __exit__(self, *_):
        self.kill()

    def call(self, *words, code=0):
        """The output of `airflow WORDS`."""
        done = subprocess.run(
            [BIN / "airflow", *map(str, words)],
            env=self._environment, cwd=self.place, capture_output=True, text=True, check=False,
            timeout=LIMIT_S,
        )  # fmt: skip
        assert (done.returncode == 0) == (code == 0), f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def begun(self, *words):
        """The running process of `airflow WORDS`, in a session of its own."""
        with (self.place / "begun.log").open("ab") as log:
            return subprocess.Popen(
                [BIN / "airflow", *map(str, words)],
                env=self._environment, cwd=self.place, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def verbs(self):
        """The verbs that its tasks run now: process to the words of its command line."""
        mark, found = f"AIRFLOW_HOME={self.place}".encode(), {}
        for pid in _alive(None, mark):
            with suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if len(words) > 2 and words[1].endswith(b"/barograph"):
                    found[pid] = [word.decode() for word in words[2:-1]]
        return found

    def start(self):
        """Scheduler, processor of DAGs and API server; ready when all of them are."""
        with (self.place / "standalone.log").open("ab") as log:
            self._processes = subprocess.Popen(
                [BIN / "airflow", "standalone"],
                env=self._environment, cwd=self.place, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(self._ready, LIMIT_S, 0.5)

    def kill(self):
        """Kill all its processes at once, with the tasks and verbs that they run."""
        session, mark = None, f"AIRFLOW_HOME={self.place}".encode()
        if self._processes is not None:
            session = self._processes.pid
        for pid in _alive(session, mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._processes is not None:
            self._processes.wait()
            self._processes = None
        until(lambda: not _alive(session, mark), 60)

    def _ready(self):
        assert self._processes.poll() is None, (self.place / "standalone.log").read_text()[-3000:]
        try:
            health = httpx.get(f"{self.address}/api/v2/monitor/health", timeout=30).json()
            known = {each["dag_id"] for each in self.ask("GET", "dags")["dags"]}
        except (httpx.TransportError, httpx.HTTPStatusError, ValueError):
            return False
        parts = (health["scheduler"]["status"], health["dag_processor"]["status"])
        return parts == ("healthy", "healthy") and len(known) == 3

    def ask(self, method, path, **json):
        """An answer of the API."""
        token = httpx.get(f"{self.address}/auth/token", timeout=60).json()["access_token"]
        answer = httpx.request(
            method, f"{self.address}/api/v2/{path}", json=json or None,
            headers={"Authorization": f"Bearer {token}"}, timeout=60,
        )  # fmt: skip
        answer.raise_for_status()
        return answer.json()

    def run_of(self, dag):
        """The newest run of a DAG, or None."""
        runs = self.ask("GET", f"dags/{dag}/dagRuns?order_by=-id&limit=1")["dag_runs"]
        return runs[0] if runs else None

    def states(self, dag, run):
        """State of each task of a run."""
        tasks = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {each["task_id"]: each["state"] for each in tasks}

    def figures(self, dag, run, task, key="return_value"):
        """What a task returned, or kept under another key."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/{key}"
        return self.ask("GET", path)["value"]

    def ended(self, dag, run):
        """The state in which a run ended."""
        path = f"dags/{dag}/dagRuns/{run}"
        until(lambda: self.ask("GET", path)["state"] in DONE, LIMIT_S, 0.5)
        return self.ask("GET", path)["state"]


def lasting_bytes(home):
    """What runs of the hourly pipeline leave for good: dataset, models, and their facts."""
    files = {name: home / "datasets" / name for name in ("hourly.parquet", "hourly.json")}
    for known in Registry(home).versions("hourly"):
        artifacts = home / "registry" / "artifacts" / known.run_id / "artifacts"
        for name in ("model.onnx", "facts.json", "judged.json"):
            files[f"{known.version}/{name}"] = artifacts / name
    return {name: file.read_bytes() for name, file in files.items()}


def parent_of(pid):
    """The process that started a process, or that took it over."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_alive(pid):
    """Whether there is such a process, and it is not dead yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _alive(session, mark):
    """Processes of a session, or with `mark` in their environment, that are not dead yet."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            pid = int(entry.name)
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            environment = (entry / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if (int(status[3]) == session or mark in environment) and status[0] != "Z":
            found.append(pid)
    return found
