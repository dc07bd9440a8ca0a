"""Which events end a second: for those somebody waits, since they make rows and predictions."""

from collections.abc import Iterable

from barograph.types import NS_PER_S, Event, Gap


class Seconds:
    """The newest second of event time of each product."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def end(self, events: Iterable[Event]) -> bool:
        """Take events; return whether one of them is in a later second than all before it.

        The first event of a product ends no second, and a gap ends none.
        """
        ended = False
        for event in events:
            if not isinstance(event, Gap):
                second = event.event_time_ns // NS_PER_S
                newest = self._newest.get(event.product)
                if newest is None or second > newest:
                    self._newest[event.product] = second
                    ended |= newest is not None
        return ended
