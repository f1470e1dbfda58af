"""How fast a training is, also by what its devices could do."""

import dataclasses
import functools

import keras

from keras_resnet.checks import UserError
from keras_resnet.networks.analysis import multiply_adds
from keras_resnet.training.step_times import StepTimes

# Of a multiply-add: forward, for the gradient of its input and for that of its weight.
_OPERATIONS = 2 * 3


@dataclasses.dataclass
class Speed:
    """Figures of speed for lines of metrics.

    Attributes:
      network: that is trained.
      replicas: their number.
      peak: floating point operations per second that the device of a replica can do at most; None:
        unknown.
    """

    network: keras.Model
    replicas: int
    peak: float | None

    def figures(self, images: int, times: StepTimes) -> dict[str, float]:
        """Those of some steps; what is not known is left out.

        Args:
          images: of the steps, over all replicas.
          times: of the steps.
        """
        if not images:
            return {}
        rate = images / times.all
        figures = {"images_per_second": rate}
        if self.replicas > 1:
            figures["images_per_second_per_replica"] = rate / self.replicas
        if self.peak is not None and self.image_operations is not None:
            figures["peak_share"] = rate * self.image_operations / (self.peak * self.replicas)
        if times.waiting is not None:
            figures["input_wait"] = times.waiting / times.all
        return figures

    @functools.cached_property
    def image_operations(self) -> float | None:
        """Those of a training step for an image; None: unknown.

        So they are of a network of which a part is frozen, or that takes images of any size, or
        their sizes beside them, as those on a canvas.
        """
        is_trained_whole = all(layer.trainable for layer in self.network.layers)
        inputs = getattr(self.network, "inputs", ())
        if not is_trained_whole or len(inputs) != 1:
            return None
        try:
            return _OPERATIONS * multiply_adds(self.network)
        except UserError:
            return None
