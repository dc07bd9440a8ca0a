"""Settings on a terminal: a line each, with what set it."""

from barograph.app.settings import SettingInForce
from barograph.app.terminal.settings_table import table
from screen_text import text_of


def test_a_setting_is_a_line_with_its_value_and_its_place():
    text = text_of(
        table(
            [
                SettingInForce(name="seed", value=1, source="default", where=""),
                SettingInForce(name="home", value="a\x1b[2J", source="option", where="--home"),
            ]
        )
    )
    first, second = text.splitlines()
    assert first.split() == ["seed", "1", "default"]
    assert second.split() == ["home", "a\\x1b[2J", "option:", "--home"]
