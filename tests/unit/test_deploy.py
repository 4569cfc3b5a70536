"""What stands in deploy/ is well-formed, hardened, and speaks of things that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from qagate.cli.commands import app
from qagate.settings import load
from qagate.work.worker import queues_named

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMANDS = {command.callback.__name__ for command in app.registered_commands if command.callback} | {
    group.name for group in app.registered_groups
}


def yaml_of(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def metric_names(text: str) -> set[str]:
    return set(re.findall(r"\bqagate_[a-z_]+\b", text))


@pytest.mark.parametrize("name", ["grafana/qagate.json", "prometheus/qagate.rules.yml"])
def test_only_metrics_that_exist_are_asked_for(name: str) -> None:
    asked = metric_names((DEPLOY / name).read_text(encoding="utf-8"))
    assert asked
    assert asked <= metric_names((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))


def expressions() -> list[str]:
    """Return every expression of the rules and the dashboard."""
    rules = [rule["expr"] for group in yaml_of("prometheus/qagate.rules.yml")["groups"] for rule in group["rules"]]
    panels = json.loads((DEPLOY / "grafana" / "qagate.json").read_text(encoding="utf-8"))["panels"]
    return rules + [target["expr"] for panel in panels for target in panel.get("targets", [])]


def test_every_label_that_is_asked_for_exists_with_this_value() -> None:
    lines = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines()
    rows = {row[1].strip(" `"): row[2] for row in (line.split("|") for line in lines) if len(row) > 3}
    for expression in expressions():
        for metric, selector in re.findall(r"(qagate_[a-z_]+)\{([^}]*)\}", expression):
            for label, values in re.findall(r'(\w+)!?[=~]+"([^"]*)"', selector):
                assert f"`{label}`" in rows[metric], expression
                assert all(re.search(rf"\b{value}\b", rows[metric]) for value in values.split("|")), expression


def test_what_is_only_for_counters_is_not_asked_of_gauges() -> None:
    assert [e for e in expressions() if re.search(r"\b(rate|irate|increase|resets)\(", e)] == []  # all are gauges


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana" / "qagate.json").read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_valid_and_closed(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=/opt/qagate/.venv/bin/qagate (\w+)", text, re.MULTILINE)
    assert command is not None
    assert command[1] in COMMANDS
    copy = tmp_path / unit.name.replace("@", "@1")
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr
    score = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=60", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert score.returncode == 0, score.stdout[-800:]  # exposure at most 6.0 of 10


def test_the_containers_settings_are_settings() -> None:
    settings = load(DEPLOY / "container" / "qagate.toml", {})
    (destination,) = settings.destinations
    orthanc = json.loads((DEPLOY / "container" / "orthanc.json").read_text(encoding="utf-8"))
    assert destination.ae_title == orthanc["DicomAet"] == settings.node.peers[0].ae_title
    assert destination.port == orthanc["DicomPort"]
    assert orthanc["DicomModalities"]["qagate"][::2] == [settings.node.ae_title, settings.node.port]


def test_compose_follows_its_schema_and_names_files_that_exist() -> None:
    compose_spec = pytest.importorskip("compose_spec")
    compose = yaml_of("container/compose.yml")
    read = compose_spec.PyCompose.from_yaml(yaml.safe_dump(compose))  # merge keys resolved: it knows none
    read.validate_secrets()
    read.validate_configs()
    read.validate_volumes()
    for config in compose["configs"].values():
        assert (DEPLOY / "container" / config["file"]).exists(), config
    for name, service in compose["services"].items():
        assert re.search(r":[\w.]+$", service["image"]) or service["image"] == "qagate", name  # no floating "latest"
        for used in service.get("configs", []):
            assert used["source"] in compose["configs"]
        if service["image"] == "qagate":
            assert service["command"][0] in COMMANDS
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]


def test_the_image_runs_unprivileged_and_starts_a_command_that_exists() -> None:
    lines = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    assert 'CMD ["serve"]' in lines
    (user,) = (line for line in lines if line.startswith("RUN useradd"))
    assert "--no-create-home" in user  # else .bashrc lies in the data folder, and no backup can be put back there
    assert all(":" in line.rpartition("/")[2] for line in lines if line.startswith("FROM"))


def test_the_image_has_what_a_setting_may_ask_for() -> None:
    """Its root is only read: what is missing there nobody can install, and no alert was ever sent."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = set(setup["options.extras_require"]) - {"demo", "test"}
    text = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8")
    installed = re.search(r"pip install [^\n]*'\.\[([\w,]+)\]'", text)
    assert installed is not None
    assert set(installed[1].split(",")) == extras


def test_the_image_can_save_the_database_that_runs_beside_it() -> None:
    """Without pg_dump `qagate backup` ended with a hint that nobody could follow there."""
    text = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8")
    server = yaml_of("container/compose.yml")["services"]["database"]["image"].rpartition(":")[2]
    assert f"postgresql-client-{server}" in text.rpartition("FROM ")[2]


def test_a_part_that_is_replaced_keeps_its_name() -> None:
    """Associations that a receiver had open under another name stayed open for ever."""
    services = yaml_of("container/compose.yml")["services"]
    assert {name: services[name]["hostname"] for name in ("receive", "forward")} == {
        "receive": "receive",
        "forward": "forward",
    }


def test_secrets_that_are_written_beside_the_samples_are_neither_committed_nor_built_in() -> None:
    secrets = {f"deploy/container/{one['file']}" for one in yaml_of("container/compose.yml")["secrets"].values()}
    for name in (".gitignore", ".dockerignore"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert secrets <= {line.removeprefix("/") for line in lines}, name


def test_every_state_of_images_and_documents_that_needs_somebody_has_an_alert() -> None:
    """In front of a PACS images were parked and nothing that Prometheus knew of was wrong."""
    (group,) = yaml_of("prometheus/qagate.rules.yml")["groups"]
    asked = " ".join(rule["expr"] for rule in group["rules"])
    for metric in ("qagate_deliveries", "qagate_originals"):
        for state in ("parked", "planned"):
            assert f'{metric}{{state="{state}"}}' in asked


def test_the_page_knows_who_asks_behind_haproxy() -> None:
    text = (DEPLOY / "edge" / "haproxy.cfg").read_text(encoding="utf-8")
    assert "option forwardfor" in text.partition("frontend page")[2].partition("backend pages")[0]


def manifests() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = yaml_of("kubernetes/qagate.yaml")["items"]
    return items


def test_manifests_follow_the_schemas() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for document in manifests():
        validate.validate(document, "1.33", strict=True)


def test_pods_run_unprivileged_commands_that_exist() -> None:
    seen: set[str] = set()
    taken: set[str] = set()
    for document in manifests():
        if document["kind"] not in ("Deployment", "StatefulSet"):
            continue
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["args"][0] in COMMANDS
        if container["args"][1:]:
            option, queues = container["args"][1:]
            assert option == "--queues"
            taken |= {queue.name for queue in queues_named(queues.split(","))}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        seen.add(container["args"][0])
    assert seen == {"receive", "forward", "work", "web"}
    assert taken == {"score", "deliver"}


def test_a_set_has_the_service_that_names_its_pods() -> None:
    headless = {
        d["metadata"]["name"] for d in manifests() if d["kind"] == "Service" and d["spec"].get("clusterIP") == "None"
    }
    assert {d["spec"]["serviceName"] for d in manifests() if d["kind"] == "StatefulSet"} <= headless


def test_what_continues_under_its_name_keeps_it() -> None:
    named = {d["metadata"]["name"] for d in manifests() if d["kind"] == "StatefulSet"}
    assert named == {"qagate-receive", "qagate-forward", "qagate-work"}


def test_judges_of_a_cluster_have_a_gpu_or_do_not_start() -> None:
    (judges,) = (d for d in manifests() if d["metadata"]["name"] == "qagate-work" and d["kind"] == "StatefulSet")
    (container,) = judges["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert load(None, environment | {"QAGATE__STORAGE__DATABASE_URL_FILE": "/dev/null"}).model.device == "cuda"


def test_manifest_settings_are_settings(tmp_path: Path) -> None:
    (settings,) = (d for d in manifests() if d["kind"] == "ConfigMap")
    path = tmp_path / "qagate.toml"
    path.write_text(settings["data"]["qagate.toml"], encoding="utf-8")
    assert load(path, {}).web.receiver == "qagate-receive:11112"


@pytest.mark.skipif(shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None, reason="needs haproxy")
def test_haproxy_takes_its_file(tmp_path: Path) -> None:
    text = (DEPLOY / "edge" / "haproxy.cfg").read_text(encoding="utf-8")
    text = re.sub(r" ssl crt \S+( ca-file \S+ verify required)?( ssl-min-ver \S+)?", "", text)  # we hold no such keys
    path = tmp_path / "haproxy.cfg"
    path.write_text(text)
    done = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
