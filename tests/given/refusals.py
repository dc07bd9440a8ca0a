"""What a verb that refuses leaves: one line on standard error, with --json an object as well."""

import json


def line_of(done):
    """Return the line of a refusal. done: exit code, standard output, standard error."""
    code, out, err = (each.decode() if isinstance(each, bytes) else each for each in done)
    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith("barograph: ")
    assert "Traceback" not in err
    if out:
        refusal = json.loads(out)
        assert err == f"barograph: {refusal.pop('error')} {refusal.pop('cure')}\n"
        assert not refusal
    return err
