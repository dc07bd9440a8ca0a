"""What is said to be immutable is."""

import pytest

from barograph.library.immutable import Immutable


class Made(Immutable):
    def __init__(self, value):
        vars(self).update(value=value)


def test_no_attribute_is_set_or_deleted():
    made = Made(1)
    with pytest.raises(AttributeError, match="Made is immutable: value cannot be set"):
        made.value = 2
    with pytest.raises(AttributeError, match="cannot be set"):
        made.other = 2
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del made.value
    assert vars(made) == {"value": 1}
