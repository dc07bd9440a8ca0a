"""Prometheus and Alertmanager watch a running `barograph up`, with what deploy/ gives them.

Of the configuration only addresses and times are changed, so that minutes are seconds.
"""

import json
import math
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml

from barograph import __version__
from barograph.cases.market import MARKET
from barograph.evaluation.drift_fitting import KeyRows, reference
from barograph.evaluation.drift_limits import cadence_of
from barograph.registry.drift import attach_reference
from barograph.registry.registry import Registry
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from local_ports import free_port
from receivers import Receiver
from registered_models import facts_of, graph
from waiting import until

pytestmark = pytest.mark.operations

COMMAND = [sys.executable, "-c", "from barograph.app.cli import main; main()"]
S = 1_000_000_000
PRODUCTS = ("BTC-USD", "ETH-USD")
BACKLOG_S = 700
"""More than the champion's features need, so that it predicts at once, and than an interval of the
drift test, so that one has closed."""

LOW = 1e-9
"""A threshold and tau that everything reaches: alerts begin, and outcomes that are known reach tau.
"""

WINDOW = "20s"
"""In the place of every rate window of the rules and the dashboard."""

STALE_S = 5
"""In the place of the thirty seconds without a frame that are an alert."""

LIMIT_S = 240.0


def fetched(url):
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:  # noqa: S310 - of this machine
        return json.loads(answer.read())


@contextmanager
def exchange(port):
    """A market of now, the last minutes of which have passed already."""
    start_ns = (time.time_ns() // S - BACKLOG_S) * S
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 3, start_ns)
    terms = Terms(wait_for_reader=True, present=True, keep_trades=1000)
    with running(Exchange(simulated(market), port=port, terms=terms)) as opened:
        yield opened


@contextmanager
def program(*words, folder):
    """A program that runs while the context is active; its output is in `folder`."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LIMIT_S)


@contextmanager
def received():
    """An address that takes Alertmanager's notifications, and (alert, status) of each so far."""
    told = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.extend((each["labels"]["alertname"], each["status"]) for each in body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def quick(root, folder, target, alertmanager, receiver):
    """Copies of the configuration in `folder`, with other addresses and short times."""
    text = (root / "deploy/prometheus/prometheus.yml").read_text()
    settings = yaml.safe_load(text)
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    settings["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    rules = yaml.safe_load((root / "deploy/prometheus/rules.yml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["expr"] = re.sub(r"\[\w+\]", f"[{WINDOW}]", rule["expr"])
        rule["expr"] = re.sub(r"(last_frame\w+ >) 30", rf"\1 {STALE_S}", rule["expr"])
        if "for" in rule:
            rule["for"] = "1s"
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    sinks = yaml.safe_load((root / "deploy/alertmanager/alertmanager.yml").read_text())
    sinks["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    sinks["receivers"][0]["webhook_configs"] = [{"url": receiver, "send_resolved": True}]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(sinks))


class Watched:
    """A running `up`, the exchange that it listens to, and who watches it."""

    def __init__(self, prometheus, web, told, notes, up, venue, folder):
        self._prometheus, self.web, self.notes = prometheus, web, notes
        self.told, self.up, self.venue = told, up, venue
        self._folder = folder

    def output(self):
        """What `up` printed so far."""
        return (self._folder / "up" / "output").read_bytes()

    def values(self, query):
        """Finite values of a query now."""
        words = urllib.parse.urlencode({"query": query.replace("$__rate_interval", WINDOW)})
        answer = fetched(f"{self._prometheus}/api/v1/query?{words}")
        assert answer["status"] == "success", answer
        numbers = [float(series["value"][1]) for series in answer["data"]["result"]]
        return [number for number in numbers if math.isfinite(number)]

    def alerts(self):
        """Names of the alerts that fire in Prometheus."""
        known = fetched(f"{self._prometheus}/api/v1/alerts")["data"]["alerts"]
        return {each["labels"]["alertname"] for each in known if each["state"] == "firing"}


class Venue:
    """An exchange that can be stopped and opened again on its port."""

    def __init__(self):
        self._port = free_port()
        self._running = None
        self.open()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self._port}"

    def open(self):
        self._running = exchange(self._port)
        self._running.__enter__()

    def close(self):
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None


def reference_beyond(column, columns=MARKET.columns):
    """A short reference whose range holds everything that a market does, except in one column."""
    cadence, rows = cadence_of(MARKET.step_s), 1_000
    values = np.random.default_rng(1).uniform(-1e12, 1e12, (rows, len(columns)))
    values[:, columns.index(column)] = np.linspace(-2.0, -1.0, rows)
    of_key = KeyRows(np.arange(rows, dtype=np.int64), values)
    return reference(
        dict.fromkeys(PRODUCTS, of_key), columns, cadence=cadence,
        feature_set=MARKET.feature_set, span_ns=(0, rows * S),
    )  # fmt: skip


def with_champion(home):
    """A champion that has all that a panel shows: a reference, alarms, outcomes that reach tau."""
    onnx = graph()
    now_ns = time.time_ns()
    facts = facts_of(
        onnx, train_end_ns=now_ns - S, expires_time_ns=now_ns + 3600 * S, threshold=LOW,
        tau=dict.fromkeys(PRODUCTS, LOW),
    )  # fmt: skip
    registry = Registry(home)
    version = registry.register("spikes", onnx, facts)
    attach_reference(registry, "spikes", version, reference_beyond(MARKET.value_now))
    registry.promote("spikes", version, "for this story")


@pytest.fixture(scope="module")
def watched(request, tmp_path_factory, prometheus, alertmanager):
    root, folder = request.config.rootpath, tmp_path_factory.mktemp("watched")
    with_champion(folder / "home")
    metrics, server, sinks = free_port(), free_port(), free_port()
    venue = Venue()
    with received() as (receiver, told), Receiver() as notes:
        quick(root, folder, f"127.0.0.1:{metrics}", f"127.0.0.1:{sinks}", receiver)
        for name in ("up", "prometheus", "alertmanager"):
            (folder / name).mkdir()
        with (
            program(
                *COMMAND, "up", "--venue", "simulated", "--url", venue.url,
                "--products", ",".join(PRODUCTS), "--home", str(folder / "home"),
                "--port", str(metrics), "--no-retrain", "--webhook", notes.url,
                folder=folder / "up",
            ) as up,
            program(
                alertmanager, f"--config.file={folder}/alertmanager.yml",
                "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{sinks}",
                f"--storage.path={folder}/sinks", folder=folder / "alertmanager",
            ),
            program(
                prometheus, f"--config.file={folder}/prometheus.yml",
                f"--web.listen-address=127.0.0.1:{server}", f"--storage.tsdb.path={folder}/data",
                folder=folder / "prometheus",
            ),
        ):  # fmt: skip
            try:
                web = f"http://127.0.0.1:{metrics}"
                yield Watched(f"http://127.0.0.1:{server}", web, told, notes, up, venue, folder)
            finally:
                venue.close()
    shutil.rmtree(folder, ignore_errors=True)


def ready(watched):
    """Whether predictions were scraped often enough for rates of them."""
    assert watched.up.poll() is None, watched.output().decode()
    try:
        return watched.values('rate(barograph_predictions_total{verdict="PREDICTED"}[10s]) > 0')
    except OSError:  # it does not listen yet
        return []


def test_every_query_of_every_panel_returns_data(watched, request):
    until(lambda: ready(watched), LIMIT_S)
    text = (request.config.rootpath / "deploy/grafana/dashboards/barograph.json").read_text()
    queries = {
        (panel["title"], target["expr"])
        for panel in json.loads(text)["panels"]
        for target in panel.get("targets", ())
    }
    assert len(queries) > 45
    silent = queries
    last_s = time.monotonic() + LIMIT_S
    with urllib.request.urlopen(f"{watched.web}/v1/stream", timeout=LIMIT_S) as stream:  # noqa: S310
        assert stream.readline()
        while silent and time.monotonic() < last_s:
            assert fetched(f"{watched.web}/v1/products")
            silent = {each for each in silent if not watched.values(each[1])}
    assert silent == set()
    assert watched.values("barograph_live_pr_auc") == [1.0]
    assert watched.values("barograph_drift_judged") == [0]
    for query in (
        "data_drift_ratio > 0 < 0.15",
        "sum(feature_ood_total) > 100",
        'sum(barograph_alerts_total{rule="probability"}) >= 2',
    ):
        until(lambda query=query: watched.values(query), LIMIT_S)
    assert watched.notes.came


def test_a_process_that_is_well_fires_nothing(watched):
    until(lambda: ready(watched), LIMIT_S)
    until(lambda: watched.values('up{job="barograph"}') == [1], LIMIT_S)
    until(lambda: not watched.alerts(), LIMIT_S)


def test_a_stopped_feed_fires_its_alert_and_clears_when_it_is_back(watched):
    until(lambda: ready(watched), LIMIT_S)
    stale = "BarographFeedStale"
    # On a busy machine it may have fired before.
    until(lambda: stale not in watched.alerts(), LIMIT_S)
    before = len(watched.told)
    watched.venue.close()
    until(lambda: (stale, "firing") in watched.told[before:], LIMIT_S)
    assert stale in watched.alerts()
    assert watched.values("time() - barograph_feed_last_frame_timestamp_seconds")[0] > STALE_S
    before = len(watched.told)
    watched.venue.open()
    until(lambda: (stale, "resolved") in watched.told[before:], LIMIT_S)
    until(lambda: stale not in watched.alerts(), LIMIT_S)
    until(lambda: watched.values("barograph_feed_connections_total >= 2"), LIMIT_S)


def test_up_without_a_terminal_says_when_what_happened(watched):
    """Start, each connection, and the warning that the venue is away, with time and level."""
    until(lambda: ready(watched), LIMIT_S)
    whole_lines, _, _ = watched.output().rpartition(b"\n")
    lines = whole_lines.decode().splitlines()
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  (info   |warning)  \S.*")
    assert [line for line in lines if not form.fullmatch(line)] == []
    start = lines[0]
    assert f" started verb=up version={__version__} pid={watched.up.pid} home=" in start
    assert f" page={watched.web}" in start
    said = [line.split()[2] for line in lines]
    assert said.count("connected") >= 2
    assert said.count("disconnected") >= 1
    assert any(" is tried again" in line and "  warning  " in line for line in lines)
    until(lambda: b" status " in watched.output(), LIMIT_S)


def test_a_process_that_died_is_down_and_nothing_else_is_said_of_it(watched):
    until(lambda: not watched.alerts(), LIMIT_S)
    watched.up.kill()
    until(lambda: ("BarographDown", "firing") in watched.told, LIMIT_S)
    until(lambda: watched.alerts() == {"BarographDown"}, LIMIT_S)
