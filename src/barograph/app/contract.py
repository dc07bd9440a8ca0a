"""The JSON contract: what each verb prints with --json, as types and as JSON schemas.

Imported only where schemas are made: the answers' types come from every room.
"""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import msgspec.inspect

from barograph.app.alerting.senders import Trials
from barograph.app.alerting.watching import AlertsSent
from barograph.app.runs.backup.restore import Restored
from barograph.app.runs.backup.take import BackedUp
from barograph.app.runs.demo import DemoSummary
from barograph.app.runs.doctor.examination import Examination
from barograph.app.runs.extracting import Quality
from barograph.app.runs.hourly_demo import HourlyDemoSummary
from barograph.app.runs.hours import CandlesMade
from barograph.app.runs.predicting import Predicted
from barograph.app.runs.rehearsal_accounts import Rehearsal
from barograph.app.runs.service import ServiceFiles
from barograph.app.runs.up import UpSummary
from barograph.app.settings import SettingInForce
from barograph.app.terminal.model_list import ListedVersion
from barograph.app.web.server import ServeSummary
from barograph.app.wiring import Consumed
from barograph.archive.compact import Compaction
from barograph.archive.inventory import Inspection, Inventory
from barograph.archive.pull import Pulled
from barograph.archive.push import Pushed
from barograph.archive.recorded_form import Look
from barograph.cases.feature_laws import FeatureCheck
from barograph.feed.extracted import Extracted
from barograph.feed.live import LiveSummary
from barograph.feed.produce import Produced
from barograph.feed.recover import Recovered
from barograph.feed.summary import Summary
from barograph.log.browse import Holding
from barograph.pipeline.alert_list import AlertList
from barograph.pipeline.check import Check
from barograph.pipeline.deadletters import LetterList, LetterShown, Redriven
from barograph.pipeline.live_scores import LiveReport
from barograph.pipeline.verify import Verification
from barograph.pipeline.worker import Tally
from barograph.registry.audit import NotPromoted, Promotion
from barograph.registry.model import ModelFacts
from barograph.simulated.ledger import LedgerSummary
from barograph.training.card import Card
from barograph.training.comparison import Comparison
from barograph.training.dataset import DatasetManifest
from barograph.training.drift_report import DriftReport
from barograph.training.due import Due
from barograph.training.record_dataset import RecordManifest
from barograph.training.report import TrainingReport
from barograph.venues.forms.known import KnownForm

RECORDS = {"records": list[dict[str, Any]]}
"""Records of a topic, each as `topics dump` prints it."""

ANSWERS: Mapping[str, Any] = {
    "alerts list": AlertList,
    "alerts test": Trials,
    "alerts run": AlertsSent,
    "demo": (DemoSummary, HourlyDemoSummary),
    "up": UpSummary,
    "help": {"verb": str, "usage": str, "options": dict[str, str], "schema": dict[str, Any]},
    "doctor": Examination,
    "settings": {"settings": list[SettingInForce]},
    "completion": {"shell": str, "script": str},
    "replay": {"feed": Summary, "featurizer": Tally, "scorer": Tally},
    "feed": LiveSummary,
    "extract": {"extracts": list[Extracted]},
    "quality": Quality,
    "forms": (Look, {"forms": list[KnownForm]}),
    "featurize": Tally,
    "candles": CandlesMade,
    "score": Tally,
    "verify": Verification,
    "check": Check,
    "check-feature": FeatureCheck,
    "simulate": LedgerSummary,
    "serve": ServeSummary,
    "dataset": (DatasetManifest, RecordManifest),
    "train": (TrainingReport, Due, {"trained": list[str]}),
    "predict": Predicted,
    "produce": (Produced, RECORDS),
    "consume": Consumed,
    "rehearse": Rehearsal,
    "report card": Card,
    "report compare": (Comparison, {"compared": bool, "why": str}),
    "report drift": DriftReport,
    "report profile": {"page": str, "rows": int, "kept_with": str | None},
    "models list": {"versions": list[ListedVersion]},
    "models history": {"promotions": list[Promotion]},
    "models show": {"facts": ModelFacts, "live": LiveReport | None},
    "models promote": (Promotion, NotPromoted),
    "models rollback": Promotion,
    "topics create": {"topics": list[Holding]},
    "topics list": {"topics": list[Holding]},
    "topics dump": RECORDS,
    "archive list": Inventory,
    "archive verify": Inspection,
    "archive compact": Compaction,
    "archive push": Pushed,
    "archive pull": Pulled,
    "recover": Recovered,
    "backup": BackedUp,
    "restore": Restored,
    "service": ServiceFiles,
    "deadletters list": LetterList,
    "deadletters show": LetterShown,
    "deadletters redrive": Redriven,
}
"""What each verb answers with: a tuple is one of several, a dict an object of these keys."""

REFUSAL = {"error": str, "cure": str}
"""What any verb prints where it ends with exit code 2: facts, and what to do."""

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{name}"


def schema_of(verb: str) -> dict[str, Any]:
    """The JSON schema of everything that `verb --json` may print, refusals among it.

    Raises KeyError for an unknown verb.
    """
    answer = ANSWERS[verb]
    variants = answer if isinstance(answer, tuple) else (answer,)
    schemas, definitions = _schemas([*variants, REFUSAL])
    return {
        "$schema": DRAFT,
        "title": f"barograph {verb} --json",
        "oneOf": schemas,
        "$defs": definitions,
    }


def _schemas(variants: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A schema for each variant, and the definitions that they refer to."""
    kinds = [
        kind
        for variant in variants
        for kind in (variant.values() if isinstance(variant, Mapping) else (variant,))
    ]
    made, definitions = msgspec.json.schema_components(kinds, ref_template=_REF)
    short = _shortened(kinds)
    left = iter(made)
    schemas = [
        {
            "type": "object",
            "properties": {name: next(left) for name in variant},
            "required": list(variant),
            "additionalProperties": False,
        }
        if isinstance(variant, Mapping)
        else next(left)
        for variant in variants
    ]
    return [_as_encoded(schema, short) for schema in schemas], {
        name: _as_encoded(definition, short) for name, definition in sorted(definitions.items())
    }


def _shortened(kinds: list[Any]) -> dict[str, set[str]]:
    """Keys that may be lacking, by name of the structs among `kinds`, however deep.

    They are those with a default where it is not encoded, and those that may be unset.
    """
    lacking: dict[str, set[str]] = {}
    seen = set()

    def walk(part: Any) -> None:  # noqa: ANN401 - any node of msgspec.inspect
        if isinstance(part, tuple | list):
            for each in part:
                walk(each)
            return
        if not isinstance(part, msgspec.Struct) or id(part) in seen:
            return
        seen.add(id(part))
        if isinstance(part, msgspec.inspect.StructType):
            omits = part.cls.__struct_config__.omit_defaults
            lacking[part.cls.__name__] = {
                each.encode_name
                for each in msgspec.structs.fields(part.cls)
                if msgspec.UnsetType in get_args(each.type) or (omits and not each.required)
            }
        for name in part.__struct_fields__:
            walk(getattr(part, name))

    walk(msgspec.inspect.multi_type_info(kinds))
    return lacking


def _as_encoded(schema: Any, short: Mapping[str, set[str]]) -> Any:  # noqa: ANN401 - JSON
    """A schema in which numbers may be null, and objects have all of their keys and no other.

    Null stands for a number that is not defined. Structs are encoded whole, but for the keys that
    `short` has under their names.
    """
    if isinstance(schema, list):
        return [_as_encoded(each, short) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _as_encoded(part, short) for name, part in schema.items() if name != "default"}
    if isinstance(described := changed.get("description"), str):
        changed["description"] = " ".join(described.split())
    if changed.get("type") == "number":
        changed["type"] = ["number", "null"]
    if changed.get("type") == "object" and "properties" in changed:
        lacking = short.get(changed.get("title", ""), set())
        changed["required"] = [name for name in changed["properties"] if name not in lacking]
        changed["additionalProperties"] = False
    return changed
