"""What deploy/ says of the command line, of versions and of who may reach what is true."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import brokers
from barograph.app.cli.door import TO_TRAIN

OURS = "barograph"
SECRET = re.compile(r"password|secret|token|api_?key|credential", re.IGNORECASE)


@pytest.fixture(scope="module")
def compose(root):
    return yaml.safe_load((root / "deploy" / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


@pytest.fixture(scope="module")
def verbs(root):
    """Every verb of the command line by its full name."""
    return runpy.run_path(str(root / "docs" / "make.py"))["verbs"]()


def check(root, program, *arguments):
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def parse(verbs, words):
    """Read a command line as the program would, without doing it; raises click's errors."""
    length = next(n for n in (2, 1) if " ".join(words[:n]) in verbs)
    name = " ".join(words[:length])
    verbs[name].make_context(name, list(words[length:]))


@pytest.mark.slow
def test_the_compose_file_is_one(root):
    schema = ["--builtin-schema", "vendor.compose-spec"]
    check(root, "check-jsonschema", *schema, "deploy/compose.yaml")


def test_the_linter_of_dockerfiles_is_content(root):
    check(root, "hadolint", "deploy/Dockerfile")


def test_what_the_image_of_the_services_leaves_out_is_what_a_verb_says_of_it(root):
    text = (root / "deploy" / "image" / "services.excludes").read_text(encoding="utf-8")
    names = {line for line in text.splitlines() if not line.startswith("#")}
    assert names == {name.replace("sklearn", "scikit-learn") for name in TO_TRAIN}


def test_images_with_training_are_built_with_the_same_extras(root, services):
    arguments = services["train"]["build"]["args"]
    options = [f'--build-arg {name}="{value}"' for name, value in arguments.items()]
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    makefile = re.sub(r"\\\n\s*", "", makefile)
    workflow = (root / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert " ".join(options).replace('"training"', "training") in makefile
    for name, value in arguments.items():
        assert f"            {name}={value}\n" in workflow


def test_every_command_in_the_compose_file_is_one_of_ours_with_its_options(services, verbs):
    commands = [each["command"] for each in services.values() if _is_ours(each)]
    assert len(commands) > 4
    for command in commands:
        parse(verbs, command)


def test_every_command_in_the_readme_is_one_of_ours_with_its_options(root, verbs):
    text = (root / "deploy" / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    docker compose .*\brun --rm barograph (.+)$", text, re.MULTILINE)
    assert lines
    for line in lines:
        parse(verbs, line.split())


def test_every_service_that_the_readme_names_is_there(root, compose):
    text = (root / "deploy" / "README.md").read_text(encoding="utf-8")
    profiles, services = text.split("\n| profile |")[1].split("\n| service |")
    named = re.compile(r"^\| `([\w-]+)` \|", re.MULTILINE)
    services = services.partition("\n\n")[0]
    assert set(named.findall(services)) == set(compose["services"])
    of = {name: each.get("profiles", []) for name, each in compose["services"].items()}
    assert set(named.findall(profiles)) == {each for some in of.values() for each in some} - {
        "tools"
    }
    assert [name for name, some in of.items() if not some] == ["kafka", "topics"]
    for line in services.splitlines()[2:]:
        name, some = line.split("|")[1].strip(" `"), line.split("|")[3]
        assert of[name] in ([], ["tools"]) or f"`{of[name][0]}`" in some


def test_ports_are_reached_from_this_machine_only(services):
    ports = [port for each in services.values() for port in each.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert "network_mode" not in {key for each in services.values() for key in each}


def test_versions_are_pinned_and_those_that_the_tests_run(services, root):
    images = {each["image"].partition("@")[0] for each in services.values()}
    tags = dict(image.rsplit(":", 1) for image in images if not image.endswith("-training"))
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert tags[OURS] == project["version"]
    assert images >= {f"{OURS}:{tags[OURS]}", f"{OURS}:{tags[OURS]}-training"}
    assert tags["apache/kafka"] == brokers.version()
    assert f"mlflow-skinny=={tags['ghcr.io/mlflow/mlflow'].removeprefix('v')}\n" in lock
    assert [tag for tag in tags.values() if not re.search(r"\d+\.\d+", tag)] == []


def test_the_broker_has_the_settings_of_that_in_the_tests(services):
    deployed = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in services["kafka"]["environment"].items()
    }
    lines = brokers.SETTINGS.read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("=") for line in lines if "=" in line)
    shared = {name for name in tested.keys() & deployed if "{" not in tested[name]}
    assert len(shared) > 8
    assert {name: deployed[name] for name in shared} == {name: tested[name] for name in shared}


def test_services_are_no_root_hold_no_secret_and_have_limits(services):
    for name, each in services.items():
        assert each["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in each["security_opt"], name
        assert each["init"], name
        assert "mem_limit" in each, name
        assert "restart" in each, name
        assert not each.get("privileged"), name
        assert not SECRET.search(" ".join(each.get("environment", {}))), name
    ours = [each for each in services.values() if _is_ours(each)]
    assert {(each["user"], each["read_only"]) for each in ours} == {("10001:10001", True)}


def test_services_wait_for_what_they_need(services):
    for name, each in services.items():
        needs = each.get("depends_on", {})
        assert needs.keys() <= services.keys()
        if _is_ours(each) and name != "topics":
            assert needs["topics"]["condition"] == "service_completed_successfully", name
        if _is_ours(each) or name == "kafka-ui":
            assert needs["kafka"]["condition"] == "service_healthy", name


def _is_ours(service):
    return service["image"].startswith(f"{OURS}:")


def test_each_container_that_works_on_is_scraped_at_the_port_that_it_has(root, services):
    """By its service's name, inside the network of the containers only."""
    text = (root / "deploy" / "prometheus" / "compose.yml").read_text(encoding="utf-8")
    [job] = yaml.safe_load(text)["scrape_configs"]
    found, api = job["dns_sd_configs"]
    ours = {name: each for name, each in services.items() if _is_ours(each)}
    working = {name for name, each in ours.items() if "--follow" in each["command"]}
    working = working - {"extract"} | {"feed", "consume"}
    assert set(found["names"]) == working
    for name in working:
        environment = ours[name]["environment"]
        assert environment["BAROGRAPH_METRICS_PORT"] == found["port"]
        assert environment["BAROGRAPH_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - in a container
        assert "ports" not in ours[name]
    assert (api["names"], api["port"]) == (["serve"], 8000)
    assert "--port=8000" in ours["serve"]["command"]
    [relabelled] = job["relabel_configs"]
    assert relabelled["replacement"] == "serve:8000"
    assert ours["serve"]["environment"]["BAROGRAPH_WEB_HOSTS"] == "serve"
    mounted = {volume.split(":")[0] for volume in services["prometheus"]["volumes"]}
    assert {"./prometheus/compose.yml", "./prometheus/rules.yml"} <= mounted


def test_every_file_that_a_container_reads_is_there_and_read_only(root, services):
    mounts = [volume for each in services.values() for volume in each.get("volumes", [])]
    ours = [mount.split(":") for mount in mounts if mount.startswith("./")]
    assert len(ours) > 5
    for source, _, mode in ours:
        assert (root / "deploy" / source).exists(), source
        assert mode == "ro"


def test_grafana_finds_the_prometheus_of_the_containers_under_the_same_name(root):
    folder = root / "deploy" / "grafana"
    of_containers, of_machine = (
        yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
        for path in (folder / "compose.yml", folder / "provisioning/datasources/prometheus.yml")
    )
    assert of_containers == [of_machine[0] | {"url": "http://prometheus:9090"}]
