"""Whose numbers a frame of a recording counts, where several connections may stand in one file.

A line of a recording does not say on which connection its frame came. `sequence_num` counts all
frames of one connection, so a *regime* is a run of numbers: those of one connection, as far as can
be told. A frame belongs to the regime whose next number it has; else to that in which its product
was heard; else it begins one. No frame is refused for its number: what cannot be told is a gap, and
only a frame with the very bytes of one before is a repeat.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from barograph.types import NS_PER_S, GapCause
from barograph.venues.numbers import BEAT_NS, may_follow

MAX_REGIMES = 16
"""So many runs of numbers are followed at once on one connection; the oldest makes room."""

MAX_FRAMES = 256
"""A frame is known as a repeat if it has the bytes of one of so many before it."""


_MOST_EARLY_BEATS = 10


class Regime(msgspec.Struct):
    """A run of numbers: its first and last one, when that came, and who counts in it.

    `products` has for each product the number of its last frame here and the count of that frame on
    the connection. `ended` is that of a file before, until a frame of this one goes on with it.
    """

    first: int
    number: int
    last_ns: int
    beats: int | None = None
    products: dict[str, tuple[int, int]] = {}
    ended: bool = False


class Loss(msgspec.Struct, frozen=True):
    """What a frame tells of products: they lost something before it."""

    products: tuple[str, ...]
    cause: GapCause
    missing: int | None = None


class Judgement(msgspec.Struct, frozen=True):
    """The regime of a frame, what was lost before it, and the products whose seam it closes."""

    regime: Regime
    losses: tuple[Loss, ...] = ()
    closed: tuple[str, ...] = ()


class Regimes(msgspec.Struct):
    """The regimes of one recorded connection, the latest last, and the hashes of its last frames.

    `count` counts the frames. `kept` is whether the recording has every frame that the numbers
    count; where it has not, a jump proves nothing, and each product counts for itself.
    """

    kept: bool = True
    known: list[Regime] = []
    hashes: list[int] = []
    count: int = 0

    def is_repeat(self, frame: bytes) -> bool:
        """Whether a frame has the bytes of a late one; remembers it where it has not."""
        hashed = int.from_bytes(blake2b(frame, digest_size=7).digest())
        if hashed in self.hashes:
            return True
        self.hashes.append(hashed)
        if len(self.hashes) > MAX_FRAMES:
            del self.hashes[0]
        return False

    def judge(
        self, number: int, time_ns: int, products: Sequence[str], beats: int | None = None
    ) -> Judgement:
        """Take the number of a frame of `products`, or of none, as a heartbeat with its count."""
        self.count += 1
        judged = self._judge(number, time_ns, products, beats)
        regime = judged.regime
        regime.number, regime.last_ns = number, max(time_ns, regime.last_ns)
        regime.beats = regime.beats if beats is None else beats
        for product in products:
            regime.products[product] = (number, self.count)
        if not self.known or self.known[-1] is not regime:
            self.known = [each for each in self.known if each is not regime][1 - MAX_REGIMES :]
            self.known.append(regime)
        return judged

    def pass_over(self, number: int) -> None:
        """Count a frame that cannot be read, where it is the next one of a regime."""
        for regime in reversed(self.known):
            if regime.number + 1 == number and not regime.ended:
                regime.number = number
                return

    def end(self) -> list[Regime]:
        """The regimes as a later file may go on with them."""
        for regime in self.known:
            at_home = self.at_home_in(regime)
            regime.products = {product: regime.products[product] for product in at_home}
        for regime in self.known:
            regime.ended = True
        return self.known

    def home(self, product: str) -> Regime | None:
        """The regime in which a product was heard last."""
        at = [each for each in self.known if product in each.products and not each.ended]
        return max(at, key=lambda each: each.products[product][1], default=None)

    def at_home_in(self, regime: Regime) -> list[str]:
        """The products that were heard last in a regime."""
        if all(each is regime or each.ended for each in self.known):
            return list(regime.products)
        return [product for product in regime.products if self.home(product) is regime]

    def _judge(
        self, number: int, time_ns: int, products: Sequence[str], beats: int | None
    ) -> Judgement:
        homes = {product: self.home(product) for product in products}
        fresh = [product for product, home in homes.items() if home is None]
        seam = self._seam(number, time_ns, fresh) if fresh or not products else None
        if not self.kept:
            return self._each_for_itself(number, products, seam)
        next_in = [each for each in self.known if each.number + 1 == number and not each.ended]
        regime = _nearest(next_in, homes.values(), products, beats)
        if regime is not None:
            moved = [
                product
                for product, home in homes.items()
                if home is not None and product not in regime.products
            ]
            if not any(self._is_next(number, product) for product in moved):
                return Judgement(regime, self._losses_of_moves(moved, regime))
        if seam is not None:
            seam.ended = False
            return Judgement(seam, closed=tuple(seam.products))
        if any(self._is_next(number, product) for product in products):
            # Others took the numbers of its regime since, so they count on another connection.
            return Judgement(Regime(number, number, time_ns))
        jumped = [
            each
            for each in (homes.values() if products else self.known)
            if each is not None and _may_jump(number, time_ns, beats, each)
        ]
        if jumped:
            regime = max(jumped, key=lambda each: each.number)
            lost = tuple(self.at_home_in(regime))
            missing = number - regime.number - 1
            return Judgement(regime, (Loss(lost, GapCause.SEQUENCE, missing),))
        known = tuple(product for product, home in homes.items() if home is not None)
        losses = (Loss(known, GapCause.DISCONNECT),) if known else ()
        return Judgement(Regime(number, number, time_ns), losses)

    def _each_for_itself(
        self, number: int, products: Sequence[str], seam: Regime | None
    ) -> Judgement:
        """Judge where numbers are missing: only one that a product passed tells anything."""
        if not self.known or all(each.ended for each in self.known):
            self.known.append(Regime(number, number, 0))
        regime = next(each for each in reversed(self.known) if not each.ended)
        back = tuple(
            product
            for product in products
            if product in regime.products and number <= regime.products[product][0]
        )
        losses = (Loss(back, GapCause.DISCONNECT),) if back else ()
        closed = () if seam is None else tuple(p for p in products if p in seam.products)
        return Judgement(regime, losses, closed)

    def _is_next(self, number: int, product: str) -> bool:
        """Whether a number follows the last one of a product itself, where others came since."""
        home = self.home(product)
        return home is not None and home.products[product][0] + 1 == number

    def _seam(self, number: int, time_ns: int, fresh: Sequence[str]) -> Regime | None:
        """The regime of a file before that a frame goes on with."""
        for each in self.known:
            own = [each.products[product][0] for product in fresh if product in each.products]
            goes_on = number - 1 in {each.number, *own}
            if each.ended and goes_on and time_ns >= each.last_ns - BEAT_NS:
                return each
        return None

    def _losses_of_moves(self, moved: Iterable[str], regime: Regime) -> tuple[Loss, ...]:
        """What products may have lost that were heard on another regime until now."""
        losses = []
        for product in moved:
            home = self.home(product)
            if home is None or regime.first == home.number + 1:
                continue
            if regime.first > home.number:
                losses.append(Loss((product,), GapCause.SEQUENCE, regime.first - home.number - 1))
            else:
                losses.append(Loss((product,), GapCause.DISCONNECT))
        return tuple(losses)


def _may_jump(number: int, time_ns: int, beats: int | None, regime: Regime) -> bool:
    """Whether a number that is not the next one of a regime can still be one of it."""
    elapsed_ns = time_ns - regime.last_ns
    if regime.ended or number <= regime.number:
        return False
    if beats is not None and regime.beats is not None:
        # About one a second: another count is another connection's.
        later = beats - regime.beats
        if not 0 < later <= max(elapsed_ns, 0) // NS_PER_S + _MOST_EARLY_BEATS:
            return False
    return may_follow(number, regime.number, elapsed_ns)


def _nearest(
    next_in: Sequence[Regime],
    homes: Iterable[Regime | None],
    products: Sequence[str],
    beats: int | None,
) -> Regime | None:
    """Of the regimes whose next number it is, the one that its products or its beat belong to."""
    at_home = [each for each in next_in if any(each is home for home in homes)]
    heard = [each for each in next_in if any(p in each.products for p in products)]
    beating = [each for each in next_in if beats is not None and each.beats == beats - 1]
    for some in (at_home, heard, beating, next_in):
        if some:
            return some[-1]
    return None
