"""All files by which an export is served, by their names."""

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from keras_resnet.serving.deployment.compose import compose
from keras_resnet.serving.deployment.container import METRICS_PATH, Container, container
from keras_resnet.serving.deployment.kubernetes import kubernetes
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import Servable

_MONITORING = f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n'


def starting_files(model: str, served: Servable, limits: Limits) -> dict[str, str]:
    """The texts of the files by their names.

    Args:
      model: its name for clients.
      served: what is exported.
      limits: `Limits` of encoded pictures.
    """
    its = container(model, served, limits)
    on_gpu = "kubernetes-gpu.yaml"
    return {
        "models.config": _models(its),
        "monitoring.config": _MONITORING,
        "compose.yaml": compose(its),
        "kubernetes.yaml": kubernetes(its, "kubernetes.yaml"),
        on_gpu: kubernetes(its, on_gpu, is_on_gpu=True),
    }


def _models(its: Container) -> str:
    """TF Serving's list of models, for its container."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=its.model, base_path=its.directory, model_platform="tensorflow"
    )
    return text_format.MessageToString(config, as_utf8=True)
