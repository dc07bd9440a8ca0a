"""The metrics of this process, and how much they grew since a moment."""

from prometheus_client.parser import text_string_to_metric_families

from barograph import telemetry


def samples(text):
    """Sample name and (label, value) pairs → value, of metrics as text."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Counted:
    """What was counted since this was made; metrics are those of the whole process.

    It begins without a labelled series: those of earlier tests may be as many as are allowed.
    """

    def __init__(self):
        for metric in vars(telemetry).values():
            labelled = getattr(metric, "_labelled", None)
            for labels in list(labelled._series) if labelled is not None else ():
                labelled.remove(labels)
        self._before = self.now()

    def now(self):
        return samples(telemetry.rendered()[0].decode())

    def since(self, name, **labels):
        key = (name, *sorted(labels.items()))
        return self.now().get(key, 0.0) - self._before.get(key, 0.0)
