"""The files of cluster/ keep its conventions, and are valid by Ray's own schema and by KubeRay's definitions."""

import copy
import json
import os
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
MANIFESTS = sorted((CLUSTER / "kuberay").glob("*.yaml"))
FILES = [CLUSTER / "aws.yaml", CLUSTER / "Dockerfile", *MANIFESTS]
IMAGE = f"registry.example.com/slam_ray:{version('slam-ray')}-ray{version('ray')}"
DEFINITIONS = Path(os.environ.get("SLAM_RAY_KUBERAY_CRDS") or ROOT.parent / "shared" / "kuberay-crds")
# KubeRay puts these on every pod itself, so a selector by them would meet other people's clusters too.
KUBERAYS_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/created-by")


def read(file: Path) -> dict[str, Any]:
    (document,) = yaml.safe_load_all(file.read_text())
    assert isinstance(document, dict)
    return document


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a document, with the key that it stands under."""
    yield key, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, key)


@pytest.fixture
def aws() -> dict[str, Any]:
    return read(CLUSTER / "aws.yaml")


@pytest.fixture
def job() -> dict[str, Any]:
    return dict(read(CLUSTER / "kuberay" / "rayjob.yaml")["spec"])


@pytest.fixture
def groups(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cluster = job["rayClusterSpec"]
    return {"head": cluster["headGroupSpec"], **{group["groupName"]: group for group in cluster["workerGroupSpecs"]}}


def test_aws_is_valid_by_rays_own_schema(aws: dict[str, Any]) -> None:
    prepared = prepare_config(copy.deepcopy(aws))
    validate_config(prepared)
    assert prepared["setup_commands"] == prepared["head_setup_commands"] == [], "Ray's defaults would install a Ray"
    wrong = copy.deepcopy(prepared) | {"idle_timeout": 5}
    with pytest.raises(jsonschema.ValidationError):
        validate_config(wrong)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_image_is_pinned_and_no_secret_is_written_down(file: Path) -> None:
    text = file.read_text()
    assert "latest" not in text
    assert not re.search(r"hf_\w{10}|AKIA\w{10}|PRIVATE KEY|[0-9a-f]{40}|password", text, re.IGNORECASE)
    if file.name == "Dockerfile":
        assert re.findall(r"^FROM (.*)", text, re.MULTILINE) == ["python:3.11.13-bookworm"]
        assert "-c constraints-gpu.txt" in text
        copied = [path for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for path in line.split()]
        assert copied
        assert [path for path in copied if not (ROOT / path).exists()] == []
        return
    document = read(file)
    images = [value for key, value in walk(document) if key == "image"]
    assert set(images) <= {IMAGE}
    assert all("value" not in item for key, item in walk(document) if key == "env" and isinstance(item, dict))
    assert document.get("kind") != "Secret"


def test_versions_are_those_of_the_constraints(job: dict[str, Any], aws: dict[str, Any]) -> None:
    for file in ("constraints.txt", "constraints-gpu.txt"):
        assert f"ray=={job['rayClusterSpec']['rayVersion']}" in (ROOT / file).read_text().splitlines()
    assert aws["docker"]["image"] == IMAGE


def test_on_aws_heads_and_drivers_do_no_work_and_gpus_come_from_none_on_spot(aws: dict[str, Any]) -> None:
    head, driver, gpu = (aws["available_node_types"][name] for name in ("head", "driver", "gpu"))
    assert aws["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert driver["resources"] == {"CPU": 0, "driver": 1}
    assert gpu["resources"]["GPU"] == 1
    assert (driver["min_workers"], gpu["min_workers"]) == (0, 0)
    assert driver["max_workers"] + gpu["max_workers"] <= aws["max_workers"]
    assert gpu["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert all("InstanceMarketOptions" not in node["node_config"] for node in (head, driver))
    start = " ".join(aws["head_start_ray_commands"])
    assert "--num-cpus=0" in start
    assert "security_group" not in aws["provider"], "Ray's own lets in nothing but ssh"


def test_on_aws_every_node_has_the_token_and_the_storage(aws: dict[str, Any]) -> None:
    assert aws["file_mounts"] == {"/root/.ray/auth_token": "~/.ray/auth_token"}
    options = aws["docker"]["run_options"]
    assert "--env RAY_AUTH_MODE=token" in options
    assert "-v /mnt/slam_ray:/storage" in options
    assert any("nfs4" in command and "/mnt/slam_ray" in command for command in aws["initialization_commands"])
    assert "HF_HOME=/storage/" in (CLUSTER / "Dockerfile").read_text(), "what the driver fetches, workers read"
    assert {".git", "runs", "artifacts"} <= set(aws["rsync_exclude"])


def test_the_ray_job_runs_on_the_driver_node_and_is_tried_again(job: dict[str, Any]) -> None:
    assert job["submissionMode"] == "SidecarMode"
    assert json.loads(job["entrypointResources"]) == {"driver": 1}
    assert not {"entrypointNumCpus", "entrypointNumGpus"} & job.keys(), "a stage ends when all CPUs and GPUs are free"
    assert job["backoffLimit"] > 0
    assert job["shutdownAfterJobFinishes"]
    assert "--storage /storage" in job["entrypoint"]
    assert "--execution.device gpu --execution.node_wait_s" in job["entrypoint"]
    assert job["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert job["rayClusterSpec"]["enableInTreeAutoscaling"]


def test_in_kubernetes_heads_and_drivers_do_no_work_and_gpus_come_from_none_on_spot(
    groups: dict[str, dict[str, Any]],
) -> None:
    assert list(groups) == ["head", "driver", "gpu"]
    assert groups["head"]["rayStartParams"] == {"num-cpus": "0"}
    driver = groups["driver"]["rayStartParams"]
    assert driver["num-cpus"] == "0"
    assert json.loads(json.loads(driver["resources"])) == {"driver": 1}
    assert (groups["gpu"]["replicas"], groups["gpu"]["minReplicas"]) == (0, 0)
    affinity = groups["gpu"]["template"]["spec"]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert all("spot" in json.dumps(term).lower() for term in terms)
    assert all("affinity" not in groups[name]["template"]["spec"] for name in ("head", "driver"))


def test_pods_ask_for_what_they_may_use_and_share_the_storage(groups: dict[str, dict[str, Any]]) -> None:
    claim = read(CLUSTER / "kuberay" / "storage.yaml")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name, group in groups.items():
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (name == "gpu")
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounted = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert mounted["/storage"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_secrets_are_references_and_only_the_driver_has_them(groups: dict[str, dict[str, Any]]) -> None:
    environments = {name: group["template"]["spec"]["containers"][0].get("env", []) for name, group in groups.items()}
    assert [name for name, variables in environments.items() if variables] == ["driver"]
    for variable in environments["driver"]:
        assert variable.keys() == {"name", "valueFrom"}
        assert variable["valueFrom"].keys() == {"secretKeyRef"}


def test_the_network_policy_meets_the_clusters_pods_and_closes_them(groups: dict[str, dict[str, Any]]) -> None:
    policy = read(CLUSTER / "kuberay" / "network.yaml")["spec"]
    selected = policy["podSelector"]["matchLabels"]
    assert selected.keys().isdisjoint(KUBERAYS_LABELS)
    for group in groups.values():
        assert selected.items() <= group["template"]["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    inside, operator = policy["ingress"]
    assert inside == {"from": [{"podSelector": policy["podSelector"]}]}
    assert operator["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}
    assert operator["ports"] == [{"port": 8265}]
    assert all("ports" in rule or rule["to"] == [{"podSelector": policy["podSelector"]}] for rule in policy["egress"])


def closed(schema: Any) -> Any:
    """A CRD's schema in which a key that it does not name is an error, not silently dropped as Kubernetes does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    open_ended = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"} & inner.keys()
    return (
        inner
        if "properties" not in inner or open_ended or "type" not in inner
        else inner | {"additionalProperties": False}
    )


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason="SLAM_RAY_KUBERAY_CRDS names no folder of KubeRay's definitions")
def test_the_ray_job_is_valid_by_kuberays_definition() -> None:
    document = read(CLUSTER / "kuberay" / "rayjob.yaml")
    definition = read(DEFINITIONS / "ray.io_rayjobs.yaml")["spec"]
    group, name = document["apiVersion"].split("/")
    assert (definition["group"], definition["names"]["kind"]) == (group, document["kind"])
    (schema,) = (each["schema"]["openAPIV3Schema"] for each in definition["versions"] if each["name"] == name)
    top: dict[str, Any] = {"apiVersion": {}, "kind": {}, "metadata": {}}
    strict = closed(schema)
    strict["properties"] |= top
    jsonschema.Draft7Validator(strict).validate(document)
    document["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["minReplica"] = 0
    with pytest.raises(jsonschema.ValidationError, match="minReplica"):
        jsonschema.Draft7Validator(strict).validate(document)
