"""What an extract did is read back from its JSON."""

import msgspec

from barograph.feed.extracted import Extracted, RevisedHour


def test_it_survives_its_json():
    revised = [RevisedHour(start_s=3600, version=2, changed="volume 1 → 2")]
    done = Extracted(source="file", product="BTC-USD", until_s=7200, first_revised=revised)
    assert msgspec.json.decode(msgspec.json.encode(done), type=Extracted) == done
