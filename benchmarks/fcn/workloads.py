"""What the benchmark of segmenters computes; needs NumPy alone."""

import dataclasses

import numpy as np

FUNCTIONS = ("inference", "training")


@dataclasses.dataclass(frozen=True)
class Workload:
    """A network and its pictures.

    Attributes:
      head: fcn or deeplabv3.
      side: of the pictures, in pixels.
      batch_size: their number.
      classes: number of classes.
      depth: of our network; torchvision's has 50 layers.
      width: filters of its first stage.
    """

    head: str
    side: int
    batch_size: int
    classes: int = 21
    depth: int = 50
    width: int = 64

    def pictures(self):
        """Noise, float32 [n, side, side, 3]."""
        rng = np.random.default_rng(0)
        shape = (self.batch_size, self.side, self.side, 3)
        return rng.normal(0, 1, shape).astype(np.float32)

    def ids(self):
        """True classes, some of none, uint8 [n, side, side]."""
        rng = np.random.default_rng(1)
        values = rng.choice([*range(self.classes), 255], (self.batch_size, self.side, self.side))
        return values.astype(np.uint8)


WORKLOADS = {
    "FCN, ResNet-50, 320x320": Workload("fcn", 320, 2),
    "DeepLabV3, ResNet-50, 320x320": Workload("deeplabv3", 320, 2),
}


def of_gpu(smoke):
    """What is measured on a GPU; for a trial on a processor small pictures."""
    large = WORKLOADS["DeepLabV3, ResNet-50, 320x320"]
    if smoke:
        return dataclasses.replace(large, head="fcn", side=32, depth=10, width=4)
    return dataclasses.replace(large, side=480, batch_size=16)
