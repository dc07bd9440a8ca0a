"""Every verb of the command line with arguments that work, and a home in which it does."""

import json
import shutil

import msgspec
import typer

from barograph.app.cli import app
from barograph.cases.churn import CHURN as CHURN_CASE
from barograph.cases.churn import invent
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.registry.model import ModelFacts, sha256_of
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training import dataset
from barograph.training.card import FILE, encoded
from candle_tables import csv_of, rows
from cards import made
from handmade_models import linear
from verb_processes import Life

CHURN = ("--case", "churn")

WORDS = {
    "help": ("models", "show"),
    "settings": (),
    "doctor": ("--venue", "simulated", "--url", "ws://127.0.0.1:9"),
    "completion": ("zsh",),
    "demo": ("--check", "--hours", "1"),
    "up": ("--venue", "simulated", "--minutes", "0.02", "--no-retrain", "--port", "0"),
    "recover": (),
    "service": ("{home}-service",),
    "backup": ("{home}-backup",),
    "restore": ("{inputs}/backup", "--home", "{home}-restored"),
    "replay": ("{inputs}/market.ndjson",),
    "feed": ("--venue", "simulated", "--url", "ws://127.0.0.1:9", "--minutes", "0.01"),
    "extract": ("--file", "{inputs}/candles.csv"),
    "quality": ("{inputs}/candles.csv",),
    "forms": ("{inputs}/market.ndjson",),
    "serve": ("--port", "0", "--minutes", "0.001"),
    "featurize": (),
    "candles": (),
    "score": (),
    "verify": (),
    "check": (),
    "check-feature": ("spikes", "--limit", "2000"),
    "simulate": ("--port", "0", "--minutes", "0.001", "--seed", "1"),
    "dataset": (),
    "train": (*CHURN, "--folds", "2", "--no-control"),
    "predict": ("{inputs}/market.ndjson", "--out", "{home}/p.parquet"),
    "produce": ("{inputs}/people.ndjson", *CHURN, "--again"),
    "consume": CHURN,
    "rehearse": ("{inputs}/people.ndjson", *CHURN, "--seconds", "1", "--reports", "{home}/pages"),
    "models list": (),
    "models show": (),
    "models history": (),
    "models promote": ("2",),
    "models rollback": (),
    "report card": ("1",),
    "report compare": (*CHURN, "--champion", "1", "--candidate", "2"),
    "report drift": ("1",),
    "report profile": CHURN,
    "topics create": ("more",),
    "topics list": (),
    "topics dump": ("ticks.raw",),
    "archive list": (),
    "archive verify": (),
    "archive compact": (),
    "archive push": ("{home}-history",),
    "archive pull": ("{inputs}/history",),
    "alerts list": (),
    "alerts test": ("--on-alert", "true"),
    "alerts run": ("--minutes", "0.01"),
    "deadletters list": (),
    "deadletters show": ("{letter}",),
    "deadletters redrive": ("--all",),
}
"""What each verb is called with, beside `--home`; a new verb needs its words here."""

HOMELESS = {"simulate", "help", "completion", "forms", "restore"}


def verbs():
    """The full names of all verbs, from the command line itself."""

    def within(group, prefix=""):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from within(command, f"{prefix}{name} ")
            else:
                yield prefix + name

    return sorted(within(typer.main.get_command(app)))


def words_of(verb, home, inputs, *more):
    """The command line of a verb; `home` None leaves the option out."""
    letter = json.loads((inputs / "letter.json").read_bytes())
    place = home or "nowhere"  # an empty name would make options of the words that begin with it
    words = [word.format(inputs=inputs, home=place, letter=letter) for word in WORDS[verb]]
    at = () if home is None or verb in HOMELESS else ("--home", str(home))
    return (*verb.split(), *words, *at, *more)


def make_inputs(inputs):
    """A recording with a bad line, and records of customers."""
    inputs.mkdir()
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    frames = b"".join(frame.data + b"\n" for frame in market.advance(400))
    (inputs / "market.ndjson").write_bytes(frames)
    # It begins otherwise: a recording that goes on like one that was taken has grown.
    (inputs / "earlier.ndjson").write_bytes(b"garbage\n" + frames[: len(frames) // 2])
    (inputs / "people.ndjson").write_bytes(b"\n".join((*invent(300, 1), b"{}", b"")))
    (inputs / "candles.csv").write_text(csv_of(rows(200)))


def make_home(home, inputs, registry):
    """A home in which each verb has something to do; `registry` is a home with an empty one."""
    shutil.copytree(registry, home, dirs_exist_ok=True)
    people = inputs / "people.ndjson"
    Life("replay", inputs / "earlier.ndjson", "--home", home).answer()
    Life("dataset", "--home", home).answer()
    Life("dataset", people, *CHURN, "--home", home).answer()
    Life("produce", people, *CHURN, "--home", home).answer()
    letters = json.loads(Life("deadletters", "list", "--home", home, "--json").answer())
    (inputs / "letter.json").write_text(json.dumps(letters["letters"][0]["identity"]))
    onnx = linear(["realized_vol_60s"], [1.0], name="p").to_onnx()
    facts = ModelFacts(
        case="spikes", candidate="p", features=("realized_vol_60s",), feature_set=FEATURE_SET_HASH,
        tau={}, threshold=0.5, horizon_s=60, train_start_ns=0, train_end_ns=1, data_hash="", seed=0,
        sha256=sha256_of(onnx), scores={}, created_time_ns=10**18,
    )  # fmt: skip
    models = Registry(home)
    for reason in ("first", "second"):
        version = models.register("spikes", onnx, facts)
        models.promote("spikes", version, reason)
        models.set_alias("spikes", "candidate", version)
        models.attach("spikes", version, FILE, encoded(made(timed=False)))
    # As a logistic regression of these customers has them, so that the gate lets it pass.
    names, weights = ("tenure", "Contract", "InternetService"), [-0.045, -0.9, 0.99]
    onnx = linear(names, weights, bias=-0.9, name="p").to_onnx()
    of_churn = msgspec.structs.replace(
        facts, case="churn", features=names, feature_set=CHURN_CASE.feature_set, horizon_s=0,
        last_order=0, data_hash=dataset.read(home, CHURN_CASE).data_hash, sha256=sha256_of(onnx),
    )  # fmt: skip
    for _ in range(2):
        version = models.register("churn", onnx, of_churn)
        models.set_alias("churn", "candidate", version)
        models.attach("churn", version, FILE, encoded(made(timed=False)))
    Life("backup", inputs / "backup", "--home", home).answer()
    Life("archive", "push", inputs / "history", "--home", home).answer()
    Life("featurize", "--home", home).answer()  # who only reads leaves the log's -wal and -shm


class Door(Life):
    """`barograph *words`, begun after `taken(*arguments)` took something away from its process."""

    def __init__(self, words, taken=None, *arguments, **environment):
        self._taken, self._arguments = taken, arguments
        super().__init__(*words, **environment)

    def prepare(self):
        """In the child, before it becomes the command."""
        if self._taken is not None:
            self._taken(*self._arguments)
