"""An operator that calls a verb of Barograph's command line, and keeps figures of its answer.

`barograph` is found on the PATH of the worker. It gets its words one by one, without a shell.
"""

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

PATIENCE_S = 30
"""Seconds that a verb may take to end when it is told to."""

LOOK_S = 2
"""How often a task looks whether the worker that supervises it is still there."""

FIGURES = "figures"
"""Key under which the figures of a task without a return value are kept: one that failed."""


class VerbOperator(BaseOperator):
    """Run `barograph VERB OPTIONS --json -- ARGUMENTS` and return `figures` of its answer.

    options: name to value, templated; an option without a value is left out. arguments: templated,
    and never taken for options. figures: parts of the answer as `a.b` or `a.0.b`; what an answer
    does not have is left out. no: what the verb's exit code 1 does, its "no": "fail" the task for
    good, "skip" it with all behind it, have it tried again ("retry"), or count as an "answer" like
    any other. Every other code is an error, after which the task is tried again.

    A verb ends with its worker, so that a next try does not meet it: also, on Linux, where the
    process of the task or its supervisor is killed with SIGKILL.
    """

    template_fields = ("options", "arguments")

    def __init__(
        self,
        *,
        verb: Sequence[str],
        options: Mapping[str, str],
        arguments: Sequence[str] = (),
        figures: Sequence[str],
        no: Literal["fail", "skip", "retry", "answer"] = "fail",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.verb, self.options, self.arguments = list(verb), dict(options), list(arguments)
        self.figures, self.no = figures, no
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the verb; its progress and warnings go to the task's log."""
        options = [f"{name}={value}" for name, value in self.options.items() if value]
        words = ["barograph", *self.verb, *options, "--json"]
        if self.arguments:
            words += ["--", *self.arguments]
        self.log.info("%s", words)
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,  # ours is the line to the supervisor
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - it takes no lock
        ) as self._process:
            try:
                out = self._output()
            except BaseException:  # among them Airflow's timeout
                self.on_kill()
                raise
        return self._answered(self._process.returncode, out, context)

    def _output(self) -> str:
        """What the verb writes until it ends. Raises where the supervisor of the task is gone."""
        supervisor = os.getppid()
        # `airflow dags test` has none, and may outlive the shell that it was started from.
        supervised = stat.S_ISSOCK(os.fstat(0).st_mode)
        while True:
            try:
                return self._process.communicate(timeout=LOOK_S)[0]
            except subprocess.TimeoutExpired:
                if supervised and os.getppid() != supervisor:
                    raise AirflowException("the supervisor of this task is gone") from None

    def on_kill(self) -> None:
        """End the verb politely; a next try goes on where it was."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _answered(self, code: int, out: str, context: Context) -> dict[str, Any]:
        if code not in {0, 1}:
            raise AirflowException(f"exit code {code}: {out.strip()[-1000:]}")
        answer = json.loads(out)
        found = {path: _part(answer, path) for path in self.figures}
        figures = {path: part for path, part in found.items() if part is not None}
        if code == 0 or self.no == "answer":
            return figures
        context["ti"].xcom_push(key=FIGURES, value=figures)
        ending = {"fail": AirflowFailException, "skip": AirflowSkipException}
        raise ending.get(self.no, AirflowException)(f"the answer is no: {json.dumps(figures)}")


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Have Linux send this process SIGTERM when the thread that started it ends, also by a kill."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _part(answer: Any, path: str) -> Any:
    """The part of JSON that a path names; None where there is none."""
    for name in path.split("."):
        if isinstance(answer, list):
            answer = answer[int(name)] if int(name) < len(answer) else None
        else:
            answer = answer.get(name) if isinstance(answer, dict) else None
    return answer
