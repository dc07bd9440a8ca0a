"""A process that registers a model as a training does, and is killed behind one of its steps."""

import os
import signal

from barograph.registry import embedded
from barograph.registry.registry import Registry
from barograph.registry.versions import Trial
from registered_models import facts_of, graph
from verb_processes import WARM, begin

TRIAL = Trial(candidate="har", parameters={"l2": 0.1}, selection=[0.2, 0.3])
STEPS = (
    "create_experiment", "create_run", "log_batch", "create_registered_model",
    "create_model_version", "set_terminated", "set_registered_model_alias",
    "set_registered_model_tag", "set_model_version_tag",
)  # fmt: skip
"""What of MLflow's client a registry writes with."""


def train(home, warn=lambda _line: None):
    """Everything that a training keeps in the registry, in its order; returns the version."""
    models, onnx = Registry(home, warn=warn), graph()
    version = models.register("spikes", onnx, facts_of(onnx))
    models.set_alias("spikes", "candidate", version)
    models.promote("spikes", version, "the gate")
    models.log_trials("spikes", [TRIAL], "d", "c")
    models.attach("spikes", version, "card.json", b"{}")
    return version


class KilledWriter(WARM.Process):
    """`train(home)`, begun, and killed when it has done so many steps."""

    def __init__(self, home, steps):
        super().__init__(daemon=True)
        self._home, self._left = home, steps
        begin(self)

    def run(self):
        """In the child."""
        from mlflow.tracking import MlflowClient  # noqa: PLC0415 - seconds to import

        for name in STEPS:
            setattr(MlflowClient, name, self._counted(getattr(MlflowClient, name)))
        embedded.write_whole = self._counted(embedded.write_whole)
        train(self._home)

    def _counted(self, step):
        def counted(*arguments, **options):
            done = step(*arguments, **options)
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return counted
