"""The manifests start the processes that all deployments start, of the image, with settings that exist."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from orchestrator.core.vault import new_key
from orchestrator.settings import Settings, load, ports_of
from tests.house_rules.deployed import DEPLOY, ROOT, SETTINGS, given, mounts, parsed, procfile

FOLDER = DEPLOY / "kubernetes"
MANIFESTS = [one for file in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
(SECRET,) = yaml.safe_load_all((FOLDER / "secret.yaml.example").read_text())
EVERYTHING = [*MANIFESTS, SECRET]
NAMED = {(one["kind"], one["metadata"]["name"]): one for one in EVERYTHING}
CONFIG: dict[str, str] = NAMED["ConfigMap", "orchestrator"]["data"]
PROCESSES = ("web", "worker", "beat")
WITH_PODS = {
    one["metadata"]["labels"]["app.kubernetes.io/component"]: one
    for one in MANIFESTS
    if one["kind"] in ("Deployment", "Job")
}


def pod(component: str) -> dict[str, Any]:
    spec: dict[str, Any] = WITH_PODS[component]["spec"]["template"]["spec"]
    return spec


def container(component: str) -> dict[str, Any]:
    (only,) = pod(component)["containers"]
    assert isinstance(only, dict)
    return only


def from_secret(component: str) -> set[str]:
    refs = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container(component)["env"]}
    assert all(ref["name"] == "orchestrator" and ref["key"] == name for name, ref in refs.items())
    return set(refs)


def settings_of(component: str) -> Settings:
    secrets = SECRET["stringData"] | {"ORCHESTRATOR_SECRET_KEYS": new_key()}
    environment = {name: secrets[name] for name in from_secret(component)}
    if container(component).get("envFrom"):
        environment |= CONFIG
    return load(environment)


def probes(component: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield kind, container(component)[kind]["httpGet"]


@pytest.mark.parametrize("manifest", EVERYTHING, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_manifest_is_what_kubernetes_takes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    assert "namespace" not in manifest["metadata"], "whoever applies it says where"
    assert manifest["metadata"]["labels"]["app.kubernetes.io/name"] == "orchestrator"


def test_the_same_processes_run_as_everywhere_and_each_is_one_that_the_program_has() -> None:
    commands = {name: parsed(["orchestrator", *container(name)["args"]])[0] for name in WITH_PODS}
    assert commands == {name: name for name in (*PROCESSES, "migrate")}
    assert set(commands.values()) == {parsed(line)[0] for line in procfile().values()}
    assert {one["metadata"]["name"] for one in WITH_PODS.values()} == {
        f"orchestrator-{one}" for one in commands
    }


def test_one_beat_at_a_time_and_several_of_the_others() -> None:
    assert WITH_PODS["beat"]["spec"]["replicas"] == 1
    assert WITH_PODS["beat"]["spec"]["strategy"] == {"type": "Recreate"}
    for name in ("web", "worker"):
        assert WITH_PODS[name]["spec"]["replicas"] >= 2
        disruptions = NAMED["PodDisruptionBudget", f"orchestrator-{name}"]["spec"]
        assert disruptions["maxUnavailable"] == 1
        assert disruptions["selector"]["matchLabels"] == WITH_PODS[name]["spec"]["selector"]["matchLabels"]


def test_labels_lead_where_they_should() -> None:
    for name in PROCESSES:
        spec = WITH_PODS[name]["spec"]
        assert spec["template"]["metadata"]["labels"] == spec["selector"]["matchLabels"]
    service = NAMED["Service", "orchestrator-web"]["spec"]
    assert service["selector"] == WITH_PODS["web"]["spec"]["selector"]["matchLabels"]
    (port,) = service["ports"]
    assert port["targetPort"] in {one["name"] for one in container("web")["ports"]}


@pytest.mark.parametrize("name", [*PROCESSES, "migrate"])
def test_it_runs_as_the_user_of_the_image_and_may_write_only_where_it_must(name: str) -> None:
    user, group = (int(part) for part in given("USER")[-1].split(":"))
    rights, own = pod(name)["securityContext"], container(name)["securityContext"]
    assert (rights["runAsUser"], rights["runAsGroup"], rights["fsGroup"]) == (user, group, group)
    assert rights["runAsNonRoot"] is True
    assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(name)["automountServiceAccountToken"] is False
    assert container(name)["image"] == "hybrid-job-orchestrator"
    assert container(name)["resources"].keys() == {"requests", "limits"}
    assert container(name)["resources"]["requests"].keys() == {"cpu", "memory"}
    volumes = {one["name"] for one in pod(name)["volumes"]}
    assert {one["name"] for one in container(name)["volumeMounts"]} == volumes


def test_what_is_mounted_is_where_compose_has_it() -> None:
    for name in ("web", "worker"):
        there = {one["mountPath"]: not one.get("readOnly", False) for one in container(name)["volumeMounts"]}
        there.pop("/tmp")
        assert there == {path: writes for path, (_, writes) in mounts(name).items()}
        assert str(settings_of(name).resolved_archive_dir) in there
    mounted = {one["mountPath"] for one in container("worker")["volumeMounts"]}
    assert str(settings_of("worker").output_dir) in mounted


@pytest.mark.parametrize("name", PROCESSES)
def test_probes_ask_ports_that_the_process_listens_on(name: str) -> None:
    settings = settings_of(name)
    assert settings.metrics_address is not None
    (metrics_port,) = ports_of(settings.metrics_address)[1]
    listens = {"metrics": metrics_port} | ({"http": settings.port} if name == "web" else {})
    assert {one["name"]: one["containerPort"] for one in container(name)["ports"]} == listens
    for kind, asked in probes(name):
        assert asked["port"] == ("http" if name == "web" else "metrics")
        assert asked["path"] == ("/readyz" if kind == "readinessProbe" else "/healthz")


def test_every_setting_exists_and_each_process_gets_only_the_secrets_it_needs() -> None:
    assert CONFIG.keys() | SECRET["stringData"].keys() <= SETTINGS
    secret = {name for name in SETTINGS if "Secret" in str(Settings.model_fields[_field(name)].annotation)}
    assert not CONFIG.keys() & secret
    keys = {name: from_secret(name) & secret for name in WITH_PODS}
    database, broker = "ORCHESTRATOR_DATABASE_URL", "ORCHESTRATOR_BROKER_URL"
    assert keys["migrate"] == {database}
    assert keys["beat"] == {broker}
    assert keys["worker"] - keys["web"] == {"ORCHESTRATOR_GATEWAY_API_KEY"}
    assert {database, broker} <= keys["web"]


def _field(name: str) -> str:
    return name.removeprefix("ORCHESTRATOR_").lower()


def test_each_process_can_start_with_what_it_gets() -> None:
    for name in PROCESSES:
        assert settings_of(name).scaled
    assert settings_of("worker").gateway_api_key.get_secret_value()
    assert settings_of("web").host == "0.0.0.0"


def test_a_stopped_process_has_the_time_to_drain() -> None:
    for name in ("web", "worker"):
        before = (
            container(name).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])
        )
        slept = float(before[-1])  # which is taken from the same time
        assert pod(name)["terminationGracePeriodSeconds"] >= slept + settings_of(name).drain_seconds + 10


def test_what_is_applied_as_a_folder_has_no_secret_in_it() -> None:
    assert "Secret" not in {one["kind"] for one in MANIFESTS}
    assert (ROOT / "deploy" / "kubernetes" / "secret.yaml.example").exists()
