"""TF Serving in a container: which image, with which arguments, and how much memory it needs."""

import dataclasses
import importlib.metadata
import math
import re
import urllib.parse

import tensorflow as tf

from keras_resnet.serving.bounded_pixels import most_memory
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import Servable
from keras_resnet.serving.usable_rows import PICTURES_AT_ONCE

# As num_batch_threads in batching.config.
PROCESSORS = 2

GRPC_PORT, REST_PORT = 8500, 8501
METRICS_PATH = "/monitoring/prometheus/metrics"

# Nobody, who owns nothing.
USER = 65534

# What TensorFlow takes without a network; feature maps for a pixel that a network sees (20 MB of
# ResNet-50 at 224 pixels).
_TENSORFLOW_BYTES, _FEATURE_BYTES = 512 * 2**20, 400


@dataclasses.dataclass(frozen=True)
class Container:
    """A container of TF Serving for an export.

    Attributes:
      model: its name.
      memory_gib: what it needs, in GiB.
      weights_gib: what a version takes on disk, in GiB.
    """

    model: str
    memory_gib: int
    weights_gib: int

    @property
    def name(self) -> str:
        """Of what Compose and Kubernetes make, which take few characters."""
        plain = re.sub("[^a-z0-9]+", "-", self.model.lower()).strip("-")
        plain = plain if plain[:1].isalpha() else f"model-{plain}"
        return plain[:40].strip("-")

    @property
    def directory(self) -> str:
        """Of the versions, in the container."""
        # Docker and Kubernetes take no colon in it.
        return f"/models/{self.model.replace(':', '-')}"

    @property
    def arguments(self) -> list[str]:
        """Of TF Serving's command."""
        # Compose and Kubernetes put variables in place of what follows a single dollar.
        directory = self.directory.replace("$", "$$")
        return [
            f"--model_config_file={directory}/models.config",
            "--enable_batching",
            f"--batching_parameters_file={directory}/batching.config",
            f"--monitoring_config_file={directory}/monitoring.config",
            # Labels in models.config would end it, since no version is there when it starts.
            "--allow_version_labels_for_unavailable_models=true",
            # Also the pictures that are decoded at once, each of which takes memory.
            f"--tensorflow_session_parallelism={PROCESSORS}",
        ]

    @property
    def path(self) -> str:
        """Of the model, over REST: whether the server lives."""
        return f"/v1/models/{urllib.parse.quote(self.model, safe='')}"

    @property
    def metadata_path(self) -> str:
        """Of what is there only while a version answers."""
        return f"{self.path}/metadata"


def container(model: str, served: Servable, limits: Limits) -> Container:
    """The container for an export.

    Args:
      model: its name.
      served: what is exported.
      limits: `Limits` of encoded pictures.
    """
    weights = sum(
        variable.shape.num_elements() * variable.dtype.size for variable in served.variables
    )
    canvas = getattr(served.model, "canvas", None)
    side = served.model.preprocessing.size if canvas is None else canvas.longer
    batch = served.batch_sizes[-1] * (side * side * _FEATURE_BYTES + limits.max_bytes)
    decoding = PICTURES_AT_ONCE * most_memory(limits.max_pixels, limits.max_bytes)
    # A new version is loaded before the old one goes. Requests that wait come on top of it all.
    memory = _TENSORFLOW_BYTES + 2 * weights + PROCESSORS * (batch + decoding)
    return Container(model, math.ceil(memory / 2**30), math.ceil(weights / 2**30))


def image_version() -> str:
    """The version of TF Serving's image that fits the TensorFlow of this process.

    TF Serving follows TensorFlow's minor versions, not its patches. Its stubs for clients are
    released with it, so that theirs is an image's where the minor version is the same.
    """
    minor = tf.__version__.split(".")[:2]
    stubs = importlib.metadata.version("tensorflow-serving-api")
    return stubs if stubs.split(".")[:2] == minor else ".".join([*minor, "0"])
