"""What deploy/kubernetes says is of Kubernetes' schemas, of our command line, and confined."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from barograph.app.settings import Settings

WORKERS = {"featurize", "score"}


@pytest.fixture(scope="module")
def folder(root):
    return root / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def objects(folder):
    """(kind, name) → each object of the kustomization."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    every = [
        each for name in files for each in yaml.safe_load_all((folder / name).read_text("utf-8"))
    ]
    return {(each["kind"], each["metadata"]["name"]): each for each in every}


@pytest.fixture(scope="module")
def pods(objects):
    """Name → the pod of each that has some."""
    return {
        name: each["spec"]["template"]["spec"]
        for (_, name), each in objects.items()
        if "template" in each.get("spec", {})
    }


@pytest.fixture(scope="module")
def verbs(root):
    return runpy.run_path(str(root / "docs" / "make.py"))["verbs"]()


@pytest.mark.slow
def test_they_are_of_the_schemas_of_kubernetes(folder):
    program = Path(sys.executable).with_name("kubernetes-validate")
    files = [path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"]
    done = subprocess.run(
        [program, "--strict", *files], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_a_feed_workers_and_a_server(objects):
    assert ("StatefulSet", "feed") in objects
    assert {("Deployment", name) for name in WORKERS | {"serve"}} <= set(objects)


def test_every_command_is_one_of_ours_with_its_options(pods, verbs):
    for name, pod in pods.items():
        (container,) = pod["containers"]
        verb, *words = container["args"]
        assert verb == name
        words = [word.replace("$(LOG)", "kafka://kafka:9092") for word in words]
        verbs[verb].make_context(verb, words)  # raises click's errors


def test_variables_are_settings_and_those_of_the_commands_are_there(objects, pods):
    data = objects["ConfigMap", "settings"]["data"]
    ours = {name.removeprefix("BAROGRAPH_").lower() for name in data if "BAROGRAPH_" in name}
    assert ours <= set(Settings.model_fields)
    for pod in pods.values():
        for word in pod["containers"][0]["args"]:
            if "$(" in word:
                assert word.partition("$(")[2].rstrip(")") in data


def test_while_they_are_replaced_there_are_no_more_workers_than_partitions(objects):
    partitions = Settings().partitions
    for name in WORKERS:
        spec = objects["Deployment", name]["spec"]
        update = spec["strategy"]["rollingUpdate"]
        assert spec["replicas"] + update["maxSurge"] <= partitions
        assert update["maxUnavailable"] == 0


def test_one_process_alone_hears_the_venue(objects):
    assert objects["StatefulSet", "feed"]["spec"]["replicas"] == 1


def test_each_has_a_budget_that_lets_nodes_be_drained(objects, pods):
    for name in pods:
        spec = objects["PodDisruptionBudget", name]["spec"]
        assert spec["selector"]["matchLabels"] == {"app": name}
        kind = "StatefulSet" if name == "feed" else "Deployment"
        replicas = objects[kind, name]["spec"]["replicas"]
        assert spec.get("maxUnavailable", replicas - spec.get("minAvailable", 0)) >= 1


def test_pods_are_no_root_write_to_their_home_only_and_are_probed(pods):
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == 10001
        assert not pod["automountServiceAccountToken"]
        (container,) = pod["containers"]
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"]
        assert not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            (of,) = [container[probe][k] for k in ("httpGet", "tcpSocket") if k in container[probe]]
            assert of["port"] in ports
    assert pods["serve"]["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/health"


def test_the_image_is_that_of_the_compose_file(root, pods):
    compose = yaml.safe_load((root / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    images = {each["image"] for each in compose["services"].values()}
    assert {pod["containers"][0]["image"] for pod in pods.values()} <= images
