"""Reports of a training, with some of their facts changed."""

import msgspec


def changed_report(report, **changed):
    """The report with these fields of it, or of a part of it, changed."""
    for part in ("data", "tested", "model", "gate"):
        facts = getattr(report, part)
        of_part = {name: changed.pop(name) for name in {*changed} & {*facts.__struct_fields__}}
        facts = msgspec.structs.replace(facts, **of_part)
        report = msgspec.structs.replace(report, **{part: facts})
    return msgspec.structs.replace(report, **changed)
