"""Stretches on Apache Spark: each a task, without a shuffle."""

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from barograph.errors import BadInputError, BarographError, MissingExtraError
from barograph.training.results import Computed, Results
from barograph.training.stretches import Stretch, compute

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LOOK_S = 0.5
_REST = 10
"""A look at what is finished is followed by so many times what it took."""

_QUIET = Path(__file__).with_name("spark-log4j2.properties")
_ON_THIS_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",  # it listens on all interfaces
}


class SparkEngine:
    """A Spark cluster by its master (`spark://host:7077`, `local[2]`, `yarn`), or as configured.

    Its workers have this version of Barograph, and see lake and results under the same paths, or
    reach them in an object store. What Spark is to use else stands in its own configuration
    (`SPARK_CONF_DIR`). Raises BadInputError where there is no Java or cluster, and
    MissingExtraError.
    """

    def __init__(self, master: str | None) -> None:
        self._master = master

    def compute(
        self, stretches: Sequence[Stretch], results: Results, done: Callable[[Computed], None]
    ) -> None:
        """See `engines.Engine`. A task that is lost is Spark's to try again."""
        session, raised = self._session()

        def job() -> list[BarographError]:
            tasks = session.sparkContext.parallelize(list(stretches), len(stretches))
            errors: list[BarographError] = tasks.flatMap(_Compute(results)).collect()
            return errors

        waiting = {stretch.key: stretch for stretch in stretches}
        look_s = _LOOK_S
        thread = ThreadPoolExecutor(1, "spark")
        try:
            running = thread.submit(job)
            while not wait([running], look_s).done:
                begun_s = time.monotonic()
                _tell(waiting, results, done)
                look_s = max(_LOOK_S, _REST * (time.monotonic() - begun_s))
            for error in running.result():
                raise error
        except raised as error:
            cure = "Run it again where that has passed: it goes on"
            raise BadInputError("Spark", f"it gave up ({_in_a_line(error)})", cure) from None
        finally:
            session.stop()
            thread.shutdown(wait=False)
        _tell(waiting, results, done)

    def _session(self) -> "tuple[SparkSession, tuple[type[Exception], ...]]":
        """A session, and what it raises."""
        try:
            from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra, as all of it
            from pyspark.errors import PySparkException  # noqa: PLC0415
            from pyspark.sql import SparkSession  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("a dataset on Spark", "spark") from None
        raised = (PySparkException, Py4JError)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName("barograph dataset")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        if self._master is not None:
            builder = builder.master(self._master)
        if (self._master or "").startswith("local"):
            for name, value in _ON_THIS_MACHINE.items():
                builder = builder.config(name, value)
        if "SPARK_CONF_DIR" not in os.environ:
            builder = builder.config(
                "spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={_QUIET}"
            )
        try:
            session: SparkSession = builder.getOrCreate()
        except (*raised, OSError) as error:
            raise BadInputError(
                f"Spark at {self._master or 'its configured master'}",
                f"it does not start ({_in_a_line(error)})",
                "Install Java 17 (openjdk-17-jre-headless), and check the master's address",
            ) from None
        return session, raised


class _Compute:
    """What a worker does with a task: computed once, whoever tries again."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def __call__(self, stretch: Stretch) -> list[BarographError]:
        """The error that the input has, of which another attempt makes nothing else."""
        try:
            compute(stretch, self._results)
        except BarographError as error:
            return [error]
        return []


def _tell(waiting: dict[str, Stretch], results: Results, done: Callable[[Computed], None]) -> None:
    """Pass on what is computed by now, and take it out of `waiting`."""
    for key in sorted(results.finished() & waiting.keys()):
        if (computed := results.computed(key)) is not None:
            del waiting[key]
            done(computed)


def _in_a_line(error: Exception) -> str:
    """What Spark says that went wrong: of a traceback the last line, of Java's the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"(: )?[\w.]+(Error|Exception): ", line)]
    return (raised or lines or [type(error).__name__])[0].removeprefix(": ")[:300]
