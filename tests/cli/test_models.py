"""The registry's verbs on a home without models."""


def test_no_model_yet_is_said_and_no_error(run):
    code, out, _ = run("models", "list", "--home", "h")
    assert (code, "no version of spikes yet" in " ".join(out.split())) == (0, True)
