import kubernetes_validate
import pytest
import yaml

from keras_resnet.serving.deployment.container import Container
from keras_resnet.serving.deployment.kubernetes import kubernetes

MINE = Container("mine", 3, 2)
ODD = Container("50% 'off': #1 & $(HOME) \"ü\" {a}", 3, 1)


def objects(container=MINE, **options):
    text = kubernetes(container, "kubernetes.yaml", **options)
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def server(found):
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    return container


@pytest.mark.parametrize("container", [MINE, ODD])
@pytest.mark.parametrize("is_on_gpu", [False, True])
def test_kubernetes_own_schemas_accept_it(container, is_on_gpu):
    found = objects(container, is_on_gpu=is_on_gpu)
    assert list(found) == ["PersistentVolumeClaim", "Pod", "Deployment", "Service"]
    for version in ("1.30", kubernetes_validate.latest_version()):
        for each in found.values():
            kubernetes_validate.validate(each, version, strict=True)
    found["Deployment"]["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(found["Deployment"], "1.30", strict=True)


def test_its_parts_find_each_other():
    found = objects()
    pod = found["Deployment"]["spec"]["template"]
    assert pod["metadata"]["labels"] == found["Service"]["spec"]["selector"]
    assert pod["metadata"]["labels"] == found["Deployment"]["spec"]["selector"]["matchLabels"]
    # The pod with the files is no server.
    assert found["Pod"]["metadata"]["labels"] != pod["metadata"]["labels"]
    claim = {"claimName": found["PersistentVolumeClaim"]["metadata"]["name"]}
    for spec in (pod["spec"], found["Pod"]["spec"]):
        assert spec["volumes"][0] == {"name": "files", "persistentVolumeClaim": claim}
    ports = {port["name"]: port["containerPort"] for port in server(found)["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for port in found["Service"]["spec"]["ports"]:
        assert port["targetPort"] in ports and port["port"] == ports[port["name"]]


@pytest.mark.parametrize("container", [MINE, ODD])
def test_the_server_reads_its_files_and_is_asked_how_it_is(container):
    its = server(objects(container))
    volume, _ = its["volumeMounts"]
    assert volume == {"name": "files", "mountPath": container.directory, "readOnly": True}
    assert ":" not in volume["mountPath"]
    # Kubernetes makes one dollar of two.
    arguments = [argument.replace("$$", "$") for argument in its["args"]]
    assert f"--model_config_file={container.directory}/models.config" in arguments
    asked = [its[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert [get["path"] for get in asked] == [
        container.path,
        f"{container.path}/metadata",
        container.path,
    ]
    assert {get["port"] for get in asked} == {"rest"}


def test_one_server_at_a_time_runs_on_the_node_of_the_files():
    """A volume that is ReadWriteOnce can be mounted on one node alone."""
    found = objects()
    assert found["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    deployment = found["Deployment"]["spec"]
    (term,) = deployment["template"]["spec"]["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"] == found["Pod"]["metadata"]["labels"]
    assert deployment["strategy"] == {"type": "Recreate"}


def test_it_has_the_memory_of_the_export_and_no_rights():
    its = server(objects())
    assert its["resources"]["limits"] == {"cpu": "2", "memory": "3Gi"}
    assert its["resources"]["requests"] == its["resources"]["limits"]
    for pod in (objects()["Pod"], objects()["Deployment"]["spec"]["template"]):
        # As the profile "restricted" of Kubernetes's Pod Security Standards has it.
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    claim = objects()["PersistentVolumeClaim"]["spec"]["resources"]
    assert claim == {"requests": {"storage": "8Gi"}}


def test_on_a_gpu_image_and_device_are_others():
    its, other = server(objects()), server(objects(is_on_gpu=True))
    assert other["image"] == f"{its['image']}-gpu"
    assert other["resources"]["limits"] == {**its["resources"]["limits"], "nvidia.com/gpu": "1"}


def test_its_head_has_the_commands():
    text = kubernetes(MINE, "here.yaml", is_on_gpu=True)
    head = text[: text.index("\n\n")]
    assert all(line.startswith("#") for line in head.splitlines())
    assert "\n#   kubectl apply -f here.yaml\n" in head
    assert "\n#   kubectl cp . mine-files:/files\n" in head
