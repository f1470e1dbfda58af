"""kubernetes.yaml: TF Serving in a cluster, with the volume that the export lies in."""

from typing import Any

import yaml

from keras_resnet.serving.deployment.container import (
    GRPC_PORT,
    METRICS_PATH,
    PROCESSORS,
    REST_PORT,
    USER,
    Container,
    image_version,
)
from keras_resnet.texts import harmless

_HEAD = """\
# TF Serving with {model} in Kubernetes{where}, from the directory of this file:
#
#   kubectl apply -f {file}
#   kubectl wait --for=condition=Ready pod/{name}-files
#   kubectl cp . {name}-files:/files
#   kubectl rollout restart deployment/{name}
#
# The files lie in a volume, which the pod {name}-files writes and the server reads; until they are
# there, the server starts again and again. Later versions must appear complete, under a number that
# is new:
#
#   kubectl exec {name}-files -- rm -rf /files/.new
#   kubectl cp 2 {name}-files:/files/.new
#   kubectl exec {name}-files -- mv /files/.new /files/2
#
# Written once by keras-resnet export, then yours to change; for another TensorFlow, network or
# limits delete it and export again. The server runs on the node of that pod, since the volume is
# for one node. With one that several may read (ReadWriteMany) leave `affinity` out; then `replicas`
# may be more. With more processors change `cpu`, --tensorflow_session_parallelism,
# num_batch_threads in batching.config, and `memory`, of which each needs its share; requests that
# wait take some, too. The service is for the cluster alone: strangers need an ingress with
# encryption, authentication and limits before it. The image is of the version with which the export
# was made; if there is none of that number, write the newest one.

"""


def kubernetes(container: Container, file: str, *, is_on_gpu: bool = False) -> str:
    """The text of the manifest.

    Args:
      container: of the export.
      file: its name.
      is_on_gpu: whether the server is to have a GPU.
    """
    head = _HEAD.format(
        model=harmless(container.model),
        where=", on an NVIDIA GPU" if is_on_gpu else "",
        file=file,
        name=container.name,
    )
    objects = [
        _claim(container),
        _files(container),
        _deployment(container, is_on_gpu),
        _service(container),
    ]
    return head + yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=100)


def _metadata(container: Container, suffix: str = "") -> dict[str, Any]:
    name = container.name + suffix
    return {"name": name, "labels": {"app.kubernetes.io/name": name}}


def _claim(container: Container) -> dict[str, Any]:
    # Of some versions.
    size = f"{4 * container.weights_gib}Gi"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(container),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def _files(container: Container) -> dict[str, Any]:
    """The pod through which files come into the volume."""
    small = {"cpu": "100m", "memory": "64Mi"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(container, "-files"),
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": _user(),
            "containers": [
                {
                    "name": "files",
                    "image": "busybox:1.37",
                    "command": ["sleep", "infinity"],
                    "securityContext": _nothing_allowed(),
                    "resources": {"requests": dict(small), "limits": dict(small)},
                    "volumeMounts": [{"name": "files", "mountPath": "/files"}],
                }
            ],
            "volumes": _volumes(container),
        },
    }


def _deployment(container: Container, is_on_gpu: bool) -> dict[str, Any]:
    labels = _metadata(container)["labels"]
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(REST_PORT),
        "prometheus.io/path": METRICS_PATH,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(container),
        "spec": {
            "replicas": 1,
            # Two would need twice the processors for a while.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels), "annotations": annotations},
                "spec": {
                    "automountServiceAccountToken": False,
                    "securityContext": _user(),
                    "affinity": _beside_files(container),
                    "containers": [_server(container, is_on_gpu)],
                    "volumes": [*_volumes(container), {"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }


def _beside_files(container: Container) -> dict[str, Any]:
    """On the node of the pod that writes the volume, which no other node can read."""
    term = {
        "labelSelector": {"matchLabels": _metadata(container, "-files")["labels"]},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _server(container: Container, is_on_gpu: bool) -> dict[str, Any]:
    resources = {"cpu": str(PROCESSORS), "memory": f"{container.memory_gib}Gi"}
    if is_on_gpu:
        resources["nvidia.com/gpu"] = "1"
    return {
        "name": "tf-serving",
        "image": f"tensorflow/serving:{image_version()}{'-gpu' if is_on_gpu else ''}",
        "args": container.arguments,
        "ports": [
            {"name": "grpc", "containerPort": GRPC_PORT},
            {"name": "rest", "containerPort": REST_PORT},
        ],
        # It listens when a version is loaded and warm, which may take minutes.
        "startupProbe": _probe(container.path, period=5, failures=120),
        "readinessProbe": _probe(container.metadata_path, period=5, failures=2),
        "livenessProbe": _probe(container.path, period=10, failures=6),
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "securityContext": _nothing_allowed(),
        "volumeMounts": [
            {"name": "files", "mountPath": container.directory, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _probe(path: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "rest"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _user() -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _nothing_allowed() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _volumes(container: Container) -> list[dict[str, Any]]:
    return [{"name": "files", "persistentVolumeClaim": {"claimName": container.name}}]


def _service(container: Container) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(container),
        "spec": {
            "selector": _metadata(container)["labels"],
            "ports": [
                {"name": "grpc", "port": GRPC_PORT, "targetPort": "grpc"},
                {"name": "rest", "port": REST_PORT, "targetPort": "rest"},
            ],
        },
    }
