"""The demo of the hourly cases as a user runs it: from candles of the exchange to a served page."""

import contextlib
import json
import re
import signal
import subprocess
import sys

import httpx
import pytest

from waiting import until

HOURS = 9000
COMMAND = [
    sys.executable, "-c", "from barograph.app.cli import main; main()",
    "demo", "--case", "hourly", "--hours", str(HOURS), "--port", "0",
]  # fmt: skip


@pytest.mark.operations
def test_candles_become_forecasts_that_a_page_serves(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "--home", str(tmp_path / "home")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"the page is at (\S+)/#case=hourly", line):
                break
        text = "".join(said)
        assert found, text
        for name in ("hourly/1", "hourly-6h/1", "hourly-24h/1", "QLIKE", "next 24 hours:"):
            assert name in text
        answers = []

        def served():
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{found[1]}/v1/cases/hourly/forecast", timeout=30)
                answers.append(answer)
                return answer.status_code == 200 and "forecast" in answer.text
            return False

        until(served)
    finally:
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=240)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


@pytest.mark.operations
def test_the_check_answers_in_json_and_says_what_was_not_promoted(tmp_path):
    done = subprocess.run(
        [*COMMAND, "--check", "--home", str(tmp_path / "home")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    summary = json.loads(done.stdout)
    assert done.returncode == (0 if summary["ok"] else 1), done.stderr
    assert summary["ok"] == (summary["problems"] == [])
    assert [each["case"] for each in summary["trainings"]] == ["hourly", "hourly-6h", "hourly-24h"]
    first, second = summary["extracts"]
    assert (first["new"] + first["missing"], second["new"]) == (HOURS - 336, 336)
    assert first["empty"] == 0
    promoted = [each["gate"]["decision"]["promote"] for each in summary["trainings"]]
    for forecast, champion in zip(summary["forecasts"], promoted, strict=True):
        # Of the hours behind the training only: those that the models had not seen.
        assert not champion or forecast["scores"]["level"]["rows"] <= 336
