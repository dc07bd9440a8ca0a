import pytest

from barograph.types import Frame, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Heard
from barograph.venues.forms.known import KNOWN
from barograph.venues.forms.reader import FormReader


@pytest.mark.parametrize("form", KNOWN, ids=lambda form: form.name)
def test_the_line_of_a_known_form_is_a_tick(form):
    reader, line = FormReader(), form.line.encode()
    reader.settle([line])
    unwrapped = reader.read(line)
    heard = Heard(Frame(data=unwrapped.frame, connection="c"), unwrapped.dialect)
    (tick,) = Coinbase().take(heard).events
    assert isinstance(tick, Tick)
    assert (tick.product, tick.price) == ("BTC-USD", "200.01")
