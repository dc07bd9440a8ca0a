"""What is followed in the log of predictions."""

from watched_predictions import prediction, watched


def test_latency_runs_from_receipt_to_the_commit_in_the_log(tmp_path):
    watch = watched(tmp_path, [prediction("BTC-USD", 1000, 0.1, receive_time_ns=None)])
    assert watch.latencies().count == 0
    assert watch.latencies().p50_ms is None
    watch = watched(tmp_path / "b", [prediction("BTC-USD", 1000, 0.1)])
    assert watch.latencies().count == 1
    assert watch.latencies().p50_ms > 0
