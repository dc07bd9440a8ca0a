"""What all tests share: real data, real brokers, and patience on a shared machine."""

import contextlib
import fcntl
import gc
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from barograph import environment

environment.for_numpy()  # as the command line does, before numpy is imported

from barograph.registry.registry import Registry  # noqa: E402
from brokers import Brokers, fetch, missing  # noqa: E402
from programs import missing as missing_programs  # noqa: E402

# Times of single examples mean nothing here: the first call of a kernel compiles it.
settings.register_profile("house", deadline=None, print_blob=True)
settings.register_profile("fast", deadline=None, print_blob=True, max_examples=8)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "house")
settings.load_profile(PROFILE)

# What is imported and collected stays, and there is much of it: it is never searched for garbage.
gc.disable()

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("BAROGRAPH_DATA", ROOT.parent / "shared" / "data")).resolve()


_TOOL_S = 120.0

LONGEST = {
    "test_fuzz.py", "test_wheel.py", "test_hourly_demo.py", "test_hostile_places.py",
    "test_demo.py", "test_simulation.py", "test_broker_kills.py", "test_hourly_live.py",
    "test_page.py", "test_docs_commands.py", "test_json_contract.py", "test_monitoring.py",
    "test_gallery.py",
}  # fmt: skip
"""Stories that take minutes. They begin first, so that no process ends with one alone."""

MOST_RERUNS = 5
"""More tests than these that pass only at the second run fail the whole run."""


@pytest.fixture(scope="session")
def data():
    """The folder of real recordings, or a skip; in CI its absence is a failure."""
    if DATA.is_dir():
        return DATA
    reason = f"no real data at {DATA}; set BAROGRAPH_DATA to a folder that has them"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def made_home(tmp_path_factory):
    """A home whose database MLflow has made, which takes it seconds: once for all processes."""
    shared = _shared_folder(tmp_path_factory)
    home, made = shared / "made-home", shared / "made-home.done"
    with (shared / "made-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with Registry(home)._store.writing("none"):
                pass
            made.touch()
    return home


@pytest.fixture(scope="session")
def jars():
    """Kafka's jars, or a skip where no broker can start; with BAROGRAPH_REQUIRE_KAFKA a failure."""
    if not (reason := missing()):
        return fetch()
    if os.environ.get("BAROGRAPH_REQUIRE_KAFKA"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def abort_as(jars):
    """Runs the command that an OpenTransactionError gives, as a person would paste it."""

    def run(error):
        [words] = re.findall(r"`kafka-transactions\.sh (.*?)`", str(error))
        tool = ["java", "-cp", f"{jars}/*", "org.apache.kafka.tools.TransactionsCommand"]
        done = subprocess.run(
            [*tool, *words.split()], capture_output=True, check=False, text=True, timeout=_TOOL_S
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="session")
def chromium():
    """The browser's path, or a skip where there is none; in CI a failure."""
    return _program("chromium")


@pytest.fixture(scope="session")
def prometheus():
    """Prometheus' path, with promtool beside it, or a skip; in CI a failure."""
    return _program("prometheus")


@pytest.fixture(scope="session")
def alertmanager():
    """Alertmanager's path, or a skip; in CI a failure."""
    return _program("prometheus-alertmanager")


def _program(name):
    if not (reason := missing_programs(name)):
        return shutil.which(name)
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka(request):
    """Where a broker listens: BAROGRAPH_TEST_KAFKA, or one that is started for the whole run."""
    return os.environ.get("BAROGRAPH_TEST_KAFKA") or request.getfixturevalue("_shared_broker")


@pytest.fixture(scope="session")
def _shared_broker(jars, tmp_path_factory):  # noqa: ARG001 - the skip
    """The address of one broker for all processes of pytest.

    The first that needs it starts it, and ends only when no other one uses it.
    """
    shared = _shared_folder(tmp_path_factory)
    address = shared / "kafka-address"
    with contextlib.ExitStack() as stack, (shared / "kafka.users").open("w") as users:
        with (shared / "kafka.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            starts = not address.exists()
            if starts:
                broker = stack.enter_context(_brokers(tmp_path_factory, 1))
                address.write_text(broker.address)
        yield address.read_text()
        if starts:
            fcntl.flock(users, fcntl.LOCK_EX)
            address.unlink()
            stack.close()


@pytest.fixture(scope="module")
def three_brokers(jars, tmp_path_factory):  # noqa: ARG001 - the skip
    """A cluster of three, for stories that stop some of them; see `Brokers`."""
    with _brokers(tmp_path_factory, 3) as brokers:
        yield brokers


def pytest_collection_finish():
    """From here on garbage is collected, that of the tests alone."""
    gc.freeze()
    gc.enable()


def _shared_folder(tmp_path_factory):
    """A temporary folder of all processes of this run."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@contextlib.contextmanager
def _brokers(tmp_path_factory, count):
    folder = tmp_path_factory.mktemp("kafka")
    with Brokers(folder, count) as brokers:
        yield brokers
    shutil.rmtree(folder)


def pytest_collection_modifyitems(items):
    """Stories run real processes, and a broker is one: they are slow without saying so each.

    So is what is of operation.

    They come first, the longest before all, so that no worker ends with one while others wait.
    """

    def place(item):
        story = "stories" in item.path.parts
        if "three_brokers" in item.fixturenames or (story and item.path.name in LONGEST):
            return 0
        if story:
            return 1
        return 2 if item.get_closest_marker("slow") else 3

    for item in items:
        operations = item.get_closest_marker("operations")
        if place(item) < 2 or "kafka" in item.fixturenames or operations:
            item.add_marker(pytest.mark.slow)
        if os.environ.get("CI"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if PROFILE == "fast":
            _limit_examples(item.obj)
    items.sort(key=place)


def pytest_sessionstart(session):
    """In CI a failure is printed when it happens: a run that is ended from outside has told it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        session.config.pluginmanager.register(_AtOnce(reporter))


class _AtOnce:
    """Prints each failure, and each first failure of a test that runs again, at once."""

    def __init__(self, reporter):
        self._reporter = reporter

    def pytest_runtest_logreport(self, report):
        if report.outcome in ("failed", "rerun"):
            self._reporter.write_line("")
            self._reporter.write_line(f"{report.outcome}: {report.nodeid}, {report.when}")
            self._reporter.write_line(report.longreprtext)


def pytest_sessionfinish(session):
    """A run in which many tests pass only at the second time has a fault of its own."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reruns = reporter.stats.get("rerun", []) if reporter else []
    if len(reruns) > MOST_RERUNS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Show how each test failed that passed when it ran again, so that it can be mended."""
    reruns = terminalreporter.stats.get("rerun", [])
    if not reruns:
        return
    terminalreporter.section(f"{len(reruns)} failed and ran again; at most {MOST_RERUNS} may")
    for report in reruns:
        terminalreporter.write_line(f"{report.nodeid}\n{report.longreprtext}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadscope`, the tests of a file go to one worker.

    They share what takes long to make: a market, a training, brokers, a card. The tests of the
    house share the syntax trees of all files.
    """
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - where it was asked for

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "house" if "/house/" in file else file

    return Files(config, log)


def _limit_examples(test):
    """The fast profile's number of examples is the most, also for tests that name their own."""
    own = getattr(test, "_hypothesis_internal_use_settings", None)
    if own is not None:
        most = settings.get_profile(PROFILE).max_examples
        test._hypothesis_internal_use_settings = settings(
            own, max_examples=min(own.max_examples, most)
        )
