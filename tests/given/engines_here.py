"""An engine that computes in this process, in any order, and ends when it is to."""

from barograph.training.stretches import compute


class EngineEndedError(Exception):
    """The process that had the engine ended."""


class EngineHere:
    """Computes so many stretches, then ends; `computed` has their products and first events."""

    def __init__(self, *, order=None, lives=None):
        self.computed = []
        self._order, self._lives = order, lives

    def compute(self, stretches, results, done):
        if self._order is not None:
            stretches = sorted(stretches, key=self._order)
        for stretch in stretches:
            if self._lives is not None and len(self.computed) >= self._lives:
                raise EngineEndedError
            done(compute(stretch, results))
            self.computed.append((stretch.product, stretch.first))
