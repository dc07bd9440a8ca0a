"""Values ↔ bytes ↔ arrays: one versioned JSON object a record, by msgspec.

The version stands in each record's `type` ("tick/1"), so old and new records can lie in one topic
and an unknown one is refused by name rather than misread. Arrays are the kernels' (`kernels.EVENT`,
`kernels.ROW`).
"""

import msgspec

from barograph.types import DeadLetter, Event, FeatureRow, Prediction

_encoder = msgspec.json.Encoder()
_event = msgspec.json.Decoder(Event)
_row = msgspec.json.Decoder(FeatureRow)
_prediction = msgspec.json.Decoder(Prediction)
_dead_letter = msgspec.json.Decoder(DeadLetter)

encode = _encoder.encode
"""Any word of `types` → its JSON bytes."""

decode_event = _event.decode
"""A record of ticks.raw → Tick, Heartbeat or Gap; raises msgspec.DecodeError on anything else."""

decode_row = _row.decode
decode_prediction = _prediction.decode
decode_dead_letter = _dead_letter.decode
