"""The prediction intervals of the model in use, of all keys of a series."""

import msgspec

from barograph.codec import UNREADABLE
from barograph.evaluation.conformal import Bounds, Intervals
from barograph.registry.model import Model


class _Kept(msgspec.Struct, frozen=True):
    """A checkpoint: whose intervals they are, and what they had learned."""

    model: str
    sha256: str
    learned: bytes


class ModelIntervals:
    """Intervals of each key, from what the model's training left and from the outcomes since.

    Another model begins with what its own training left. A machine's part: no clock, no I/O.
    """

    def __init__(self) -> None:
        self._model: Model | None = None
        self._by_key: dict[str, Intervals] = {}
        self._changed: set[str] = set()

    def use(self, model: Model | None) -> None:
        """Begin with another model; the same one again changes nothing."""
        if _identity(model) != _identity(self._model):
            self._by_key, self._changed = {}, set()
        self._model = model

    def learn(self, key: str, second: int, value: float) -> None:
        """Learn a key's value at the end of `second`."""
        if (intervals := self._of(key)) is not None:
            intervals.learn(second, value)
            self._changed.add(key)

    def predict(self, key: str, second: int, median: float) -> Bounds | None:
        """The interval around a forecast made at the end of `second`, None without one."""
        if (intervals := self._of(key)) is None:
            return None
        self._changed.add(key)
        return intervals.predict(second, median)

    def changed(self) -> set[str]:
        """The keys whose intervals changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def dump(self, key: str) -> bytes | None:
        """Serialise a key's intervals as a checkpoint; None if it has none."""
        if self._model is None or key not in self._by_key:
            return None
        label, sha256 = _identity(self._model)
        return msgspec.msgpack.encode(_Kept(label, sha256, self._by_key[key].dump()))

    def load(self, key: str, checkpoint: bytes) -> None:
        """Restore a checkpoint, unless it is of another model. Raises ValueError if damaged."""
        try:
            kept = msgspec.msgpack.decode(checkpoint, type=_Kept)
        except UNREADABLE as error:
            raise ValueError(str(error)) from None
        if (kept.model, kept.sha256) != _identity(self._model):
            return
        if (intervals := self._of(key)) is not None:
            intervals.load(kept.learned)

    def _of(self, key: str) -> Intervals | None:
        """A key's intervals; None where the model has none, or does not know the key."""
        if self._model is None:
            return None
        facts = self._model.facts
        if facts.level is None or key not in facts.tau:
            return None
        if key not in self._by_key:
            state = facts.level.states.get(key)
            self._by_key[key] = Intervals(facts.level.rule, facts.horizon_s, state)
        return self._by_key[key]


def _identity(model: Model | None) -> tuple[str, str]:
    return ("", "") if model is None else (model.label, model.facts.sha256)
