"""compose.yaml: TF Serving by Docker Compose, on processors or on a GPU."""

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
# TF Serving with {model}, on this machine only (127.0.0.1), from the directory of this file:
#
#   docker compose up --wait cpu    # on processors
#   docker compose up --wait gpu    # in place of it on an NVIDIA GPU, by NVIDIA's container toolkit
#   docker compose --profile gpu down    # either
#
# Written once by keras-resnet export, then yours to change. With more processors change `cpus`,
# --tensorflow_session_parallelism, num_batch_threads in batching.config, and `memory`, of which
# each needs its share; requests that wait take some, too. For another TensorFlow, network or limits
# delete this file and export again. Strangers need a proxy with encryption,
# authentication and limits before it. Metrics for Prometheus: http://127.0.0.1:{port}{metrics}.
# The image is of the version with which the export was made. If there is none of that number:
# TF_SERVING_VERSION=X.Y.Z docker compose up --wait cpu.

"""


def compose(container: Container) -> str:
    """The text of compose.yaml.

    Args:
      container: of the export in whose directory it lies.
    """
    gpu = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    project = {
        "name": container.name,
        "services": {
            "cpu": _service(container, "", {}),
            "gpu": {
                "profiles": ["gpu"],
                **_service(container, "-gpu", {"reservations": {"devices": [gpu]}}),
            },
        },
    }
    head = _HEAD.format(model=harmless(container.model), port=REST_PORT, metrics=METRICS_PATH)
    return head + yaml.safe_dump(project, sort_keys=False, allow_unicode=True, width=100)


def _service(container: Container, image: str, reservations: dict[str, Any]) -> dict[str, Any]:
    limits = {"cpus": str(PROCESSORS), "memory": f"{container.memory_gib}g"}
    # The image has no curl, but bash.
    ask = (
        f"exec 3<>/dev/tcp/127.0.0.1/{REST_PORT} && "
        f'printf "%s\\r\\n\\r\\n" "GET {container.metadata_path} HTTP/1.0" >&3 && '
        'read -r _ status _ <&3 && [ "$$status" = 200 ]'
    )
    return {
        "image": f"tensorflow/serving:${{TF_SERVING_VERSION:-{image_version()}}}{image}",
        "command": container.arguments,
        "ports": [f"127.0.0.1:{port}:{port}" for port in (GRPC_PORT, REST_PORT)],
        "volumes": [
            {
                "type": "bind",
                "source": ".",
                "target": container.directory.replace("$", "$$"),
                "read_only": True,
            }
        ],
        "healthcheck": {
            "test": ["CMD", "bash", "-c", ask],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "120s",
        },
        "restart": "unless-stopped",
        "user": f"{USER}:{USER}",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "deploy": {"resources": {"limits": limits, **reservations}},
    }
