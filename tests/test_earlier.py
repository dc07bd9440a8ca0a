"""Words of earlier versions, as a log keeps them for a month."""

import msgspec
import pytest

from barograph import codec
from barograph.codec import UnreadableError
from barograph.earlier import FirstPrediction
from barograph.types import Prediction, Record
from matured_predictions import prediction

FIRST = (
    b'{"type":"prediction/1","product":"BTC-USD","second":7,"event_time_ns":8000000000,'
    b'"receive_time_ns":null,"verdict":"PREDICTED","probability":0.7,"spike":true,"threshold":0.6,'
    b'"tau":0.0001,"horizon_s":60,"realized_vol_60s":0.0002,"mid":1.0,"model":"spikes/1"}'
)


def test_a_prediction_of_the_first_version_reads_as_one_of_today():
    today = prediction(7, p=0.7, vol=2e-4)
    assert codec.decode_prediction(FIRST) == today
    record = Record("ticks.predictions", 0, 3, "BTC-USD", FIRST)
    assert codec.decode_prediction.of(record) == today
    assert codec.decode_prediction.all_of([record]) == ([record], [today], [])


def test_what_is_written_is_of_today_and_each_version_has_its_own_fields():
    assert codec.encode(prediction(7)).startswith(b'{"type":"prediction/2",')
    assert isinstance(codec.decode_prediction(codec.encode(prediction(7))), Prediction)
    with pytest.raises(UnreadableError):
        codec.decode_prediction(FIRST.replace(b"prediction/1", b"prediction/2"))
    with pytest.raises(UnreadableError):
        codec.decode_prediction(FIRST.replace(b'"BTC-USD"', rb'"\u0000next"'))
    assert (
        msgspec.json.decode(FIRST, type=FirstPrediction).realized_vol_60s == 2e-4
    )  # exact: as it stands there
