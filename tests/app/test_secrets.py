"""What holds a secret: each such variable is named once, and no other program is given it."""

import re
from pathlib import Path

from barograph.app.secrets import SECRETS


def test_every_variable_whose_name_says_secret_token_or_key_is_among_them():
    whose, what = "BAROGRAPH|COINBASE|CRYPTOCOMPARE|MLFLOW", "SECRET|TOKEN|KEY|URLS|PASSWORD|URI"
    named = re.compile(rf'"((?:{whose})_[A-Z_]*(?:{what}))"')
    source = Path(__file__).parents[2] / "src"
    sources = "".join(path.read_text() for path in source.rglob("*.py"))
    assert set(named.findall(sources)) == SECRETS
