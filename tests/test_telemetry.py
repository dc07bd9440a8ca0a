"""Metrics: what is counted is shown, labels are bounded, the endpoint answers."""

import math
import threading
import urllib.request

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from barograph import telemetry
from barograph.errors import BadInputError


@pytest.fixture
def registry(monkeypatch):
    """A registry of this test alone, in the place of the process's."""
    made = prometheus_client.CollectorRegistry(auto_describe=True)
    monkeypatch.setattr(telemetry, "REGISTRY", made)
    monkeypatch.setattr(telemetry, "DESCRIPTIONS", [])
    return made


def shown():
    """Sample name and labels → value, of what is rendered now."""
    text, _ = telemetry.rendered()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.mark.usefixtures("registry")
def test_what_is_counted_is_shown():
    ticks = telemetry.Counter("ticks", "Ticks.", "product")
    queue = telemetry.Gauge("queue", "Entries.")
    ticks.add(3, "BTC-USD")
    ticks.add(4, "BTC-USD")
    ticks.add(0, "ETH-USD")
    queue.set(2)
    queue.set(1)
    assert shown() == {
        ("ticks_total", ("product", "BTC-USD")): 7,
        ("ticks_total", ("product", "ETH-USD")): 0,
        ("queue",): 1,
    }
    assert [each.name for each in telemetry.DESCRIPTIONS] == ["ticks_total", "queue"]


@pytest.mark.usefixtures("registry")
def test_a_latency_counts_in_its_bucket_and_nan_nowhere():
    latency = telemetry.Histogram("latency_seconds", "Latency.", "stage")
    for value in (-0.2, 0.0002, 0.3, 60.0, math.nan):
        latency.observe(value, "log")
    lines = shown()
    at_most = {
        name[1][1]: value for name, value in lines.items() if name[0] == "latency_seconds_bucket"
    }
    assert (at_most["0.0001"], at_most["0.00025"], at_most["0.25"]) == (1, 2, 2)
    assert (at_most["0.5"], at_most["10.0"], at_most["+Inf"]) == (3, 3, 4)
    assert lines["latency_seconds_sum", ("stage", "log")] == pytest.approx(60.1002)


@pytest.mark.usefixtures("registry")
def test_label_values_beyond_the_bound_count_under_other():
    """Names come from strangers: a venue that invents products fills no memory."""
    ticks = telemetry.Counter("ticks", "Ticks.", "product", "venue")
    for number in range(3 * telemetry.MAX_SERIES):
        ticks.add(2, f"P{number}", "v")
    lines = shown()
    assert len(lines) == telemetry.MAX_SERIES + 1
    assert sum(lines.values()) == 6 * telemetry.MAX_SERIES
    other = ("ticks_total", ("product", "other"), ("venue", "other"))
    assert lines[other] == 4 * telemetry.MAX_SERIES


@pytest.mark.usefixtures("registry")
def test_a_gauge_beyond_the_bound_is_not_shown():
    ages = telemetry.Gauge("age", "Age.", "product")
    for number in range(2 * telemetry.MAX_SERIES):
        ages.set(number, f"P{number}")
    assert len(shown()) == telemetry.MAX_SERIES


@pytest.mark.usefixtures("registry")
def test_of_versions_only_the_present_one_is_shown():
    model = telemetry.Gauge("model_info", "1.", "alias", "model")
    for alias, version in (("champion", "a/1"), ("candidate", "a/2"), ("champion", "a/3")):
        model.set_only(1, alias, version)
    assert set(shown()) == {
        ("model_info", ("alias", "champion"), ("model", "a/3")),
        ("model_info", ("alias", "candidate"), ("model", "a/2")),
    }


@pytest.mark.usefixtures("registry")
def test_a_wrong_number_of_label_values_is_an_error():
    ticks = telemetry.Counter("ticks", "Ticks.", "product")
    with pytest.raises(TypeError, match="2 label values for 1 labels"):
        ticks.add(1, "BTC-USD", "coinbase")


@pytest.mark.usefixtures("registry")
def test_threads_lose_no_count():
    ticks = telemetry.Counter("ticks", "Ticks.", "product")

    def count():
        for number in range(2000):
            ticks.add(1, f"P{number % 300}")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = shown()
    assert sum(lines.values()) == 8000
    assert len(lines) == telemetry.MAX_SERIES + 1


def test_the_endpoint_answers_on_this_machine_alone():
    telemetry.FRAMES.add(0)
    with telemetry.served(0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        with pytest.raises(BadInputError, match=rf"port {port} of the metrics: address already"):
            telemetry.served(port).__enter__()
    assert "process_open_fds" in text
    assert "barograph_frames_total" in text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60)


def test_the_endpoint_is_at_the_address_that_is_named():
    telemetry.FRAMES.add(0)
    with telemetry.served(0, "0.0.0.0") as port:  # noqa: S104 - as in a container
        for host in ("127.0.0.1", "127.0.0.2"):
            with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=60) as answer:
                assert b"barograph_frames_total" in answer.read()
    with pytest.raises(BadInputError, match=r"metrics_host 203\.0\.113\.1: .*Name an address"):
        telemetry.served(0, "203.0.113.1").__enter__()


def test_a_reader_gets_the_format_that_it_accepts():
    _, plain = telemetry.rendered("text/plain;version=0.0.4")
    text, open_metrics = telemetry.rendered("application/openmetrics-text; version=1.0.0")
    assert plain.startswith("text/plain; version=0.0.4")
    assert open_metrics.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")


def test_names_follow_the_rules_of_prometheus():
    """Base units, `_total` for counters and for nothing else, and a meaning for each."""
    for each in telemetry.DESCRIPTIONS:
        assert each.name.endswith("_total") == (each.kind == "counter"), each.name
        assert "milli" not in each.name
        assert not each.name.endswith(("_ms", "_ns")), each.name
        assert each.meaning.endswith("."), each.name
        if each.kind == "histogram" and each.unit:
            assert each.name.endswith("_seconds"), each.name
    names = [each.name for each in telemetry.DESCRIPTIONS]
    assert len(names) == len(set(names))
