"""The state of each product subscribed to: confirmed, refused, or not answered yet."""

from collections.abc import Callable, Iterable

from barograph.errors import BadInputError
from barograph.types import Event
from barograph.venues.coinbase.dialect_machine import product_names
from barograph.venues.coinbase.endpoints import Endpoint

PATIENCE_S = 5.0
"""How long an open connection may keep silent about a subscription; venues answer at once."""


_MOST_TEXTS = 100


class Subscribed:
    """The products of one live feed. Times are those of the caller's monotonic clock, in seconds.

    `refused` has the venue's reason by product. `warn` gets each product that is not sent, once.
    """

    def __init__(
        self, endpoint: Endpoint, products: Iterable[str], warn: Callable[[str], None]
    ) -> None:
        self.refused: dict[str, str] = {}
        self._endpoint, self._warn = endpoint, warn
        self._products = tuple(products)
        self._open = dict.fromkeys(self._products)
        self._warned = set[str]()
        self._opened_s: float | None = None

    def opened(self, now_s: float) -> None:
        """Note that a connection is open and has subscribed to the products."""
        self._opened_s = now_s

    def closed(self) -> None:
        """Note that the connection is lost: no pending confirmation will come."""
        self._opened_s = None

    def confirmed(self, products: Iterable[str]) -> None:
        """Note the products whose subscription the venue confirms."""
        for product in products:
            self._open.pop(product, None)

    def heard(self, events: Iterable[Event]) -> None:
        """Note products that delivered an event, which confirms them as well."""
        if self._open:
            self.confirmed([event.product for event in events])

    def error(self, text: str, products: Iterable[str]) -> None:
        """Note a refusal of the `products` and of those that its text names."""
        names = {*products, *product_names(text)}
        named = [product for product in self._products if product in names]
        for product in named:
            self._open.pop(product, None)
            if product not in self.refused:
                self.refused[product] = text
                self._warn(f"{self._endpoint.venue} refuses {product}: {text}")
        if not named and text not in self._warned and len(self._warned) < _MOST_TEXTS:
            self._warned.add(text)
            self._warn(f"{self._endpoint.venue} says: {text}")

    def look(self, now_s: float) -> BadInputError | None:
        """Warn of products not confirmed in time; return an error when none can come."""
        late = self._opened_s is not None and now_s - self._opened_s >= PATIENCE_S
        if late:
            for product in self._open:
                if product not in self._warned:
                    self._warned.add(product)
                    self._warn(f"{self._endpoint.venue} does not confirm {product}")
        if len(self.refused) == len(self._products):
            return self._failure(f"it refuses {', '.join(self.refused)}")
        if late and len(self._open) + len(self.refused) == len(self._products):
            return self._failure(f"it confirms none of {', '.join(self._products)}")
        return None

    def _failure(self, why: str) -> BadInputError:
        return BadInputError(
            self._endpoint.socket,
            why,
            "Check the names (`--products BTC-USD,ETH-USD`) and the venue",
        )
