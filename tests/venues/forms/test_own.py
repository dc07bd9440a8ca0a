import pytest

from barograph.venues.forms.clock import Unit
from barograph.venues.forms.own import FormError, Sides, form_of

FORM = """
[fields]
time = "timestamp"
bid = "bid_price"
ask = "ask_price"

[constants]
product = "BTC-USD"

[clock]
of = "recorder"
unit = "ms"
zone = "Europe/Paris"
"""


def test_a_form_is_ten_lines():
    form = form_of(FORM)
    assert form.fields == {"time": "timestamp", "bid": "bid_price", "ask": "ask_price"}
    assert form.constants == {"product": "BTC-USD"}
    assert (form.clock, form.unit, form.zone) == ("recorder", Unit.MS, "Europe/Paris")


def test_a_quote_may_be_on_two_rows():
    form = form_of(
        '[fields]\ntime="t"\nproduct="s"\nprice="p"\n[sides]\nfield="side"\nbid="B"\nask="S"'
    )
    assert form.sides == Sides("side", "B", "S")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "no TOML"),
        ("[fiels]", "fiels"),
        ("fields = 1", "must be a table"),
        ('[fields]\nbid = "b"', "time"),
        ('[fields]\ntime = "t"\nbid = "b"\nask = "a"', "product"),
        ('[fields]\ntime = "t"\nproduct = "p"\nbid = "b"', "bid and ask"),
        ('[fields]\ntime = "t"\nproduct = "p"\n[sides]\nfield = "s"', "price"),
        ("[fields]\nprize = 1", "no key prize"),
        ("[fields]\nprice = []", "must be a text"),
        (FORM.replace('"ms"', '"minutes"'), "minutes"),
        (FORM.replace("Europe/Paris", "Europe/Nowhere"), "Nowhere"),
        (FORM.replace("Europe/Paris", "../../etc/passwd"), "passwd"),
        (FORM.replace('"recorder"', '"me"'), "me"),
        (FORM + "[sides]\nbid = 1", "needs field"),
        (FORM + '[table]\ndelimiter = ";;"', "one character"),
        (FORM + "[table]\ncolumns = 1", "list of names"),
        (FORM + "[table]\nheader = 1", "no key header"),
    ],
)
def test_a_form_that_cannot_be_used_says_why_in_one_line(text, says):
    with pytest.raises(FormError, match=says) as refused:
        form_of(text)
    assert "\n" not in str(refused.value)
