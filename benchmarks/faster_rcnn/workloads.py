"""What both sides of the benchmark of detectors compute, of random pictures."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Workload:
    """A detector, the pictures it is given, and how many of everything it looks at.

    Attributes:
      depth: of the network.
      width: channels of the first stage.
      shape: height and width of the pictures, and of their canvas.
      batch_size: of training and of inference.
      classes: of objects.
      anchor_sizes: see the recipes, as all that follow.
      region_size, rpn_channels, proposals, train_proposals, anchors_per_image, regions_per_image:
        the same.
    """

    depth: int
    width: int
    shape: tuple[int, int]
    batch_size: int
    classes: int
    anchor_sizes: tuple[int, ...]
    region_size: int
    rpn_channels: int
    proposals: int
    train_proposals: int
    anchors_per_image: int
    regions_per_image: int

    def pictures(self):
        """Normalized pictures, float32 [batch, height, width, 3]."""
        shape = self.batch_size, *self.shape, 3
        return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)

    def objects(self):
        """Boxes of five objects a picture, float32 [batch, 5, 4], and classes, int64 [batch, 5]."""
        rng = np.random.default_rng(1)
        height, width = self.shape
        sides = rng.uniform(0.15, 0.4, (self.batch_size, 5, 2)) * (width, height)
        corners = rng.uniform(0, 1, sides.shape) * ((width, height) - sides)
        boxes = np.concatenate([corners, corners + sides], axis=-1)
        return boxes.astype(np.float32), rng.integers(0, self.classes, (self.batch_size, 5))


WORKLOADS = {
    # The recipe `voc`, on pictures of 3:4.
    "ResNet-50, 600x800": Workload(
        depth=50,
        width=64,
        shape=(600, 800),
        batch_size=2,
        classes=20,
        anchor_sizes=(128, 256, 512),
        region_size=14,
        rpn_channels=512,
        proposals=300,
        train_proposals=2000,
        anchors_per_image=256,
        regions_per_image=128,
    ),
    # The recipe `scenes`.
    "ResNet-10 of width 32, 128x128": Workload(
        depth=10,
        width=32,
        shape=(128, 128),
        batch_size=8,
        classes=8,
        anchor_sizes=(16, 32, 64),
        region_size=6,
        rpn_channels=128,
        proposals=50,
        train_proposals=100,
        anchors_per_image=64,
        regions_per_image=16,
    ),
}

# Deviations that layers with random weights are scaled to, so that both sides find as much: what
# they say of an anchor and of a region, the score and the four numbers of a box.
DEVIATIONS = {"rpn_scores": 1.0, "rpn_codes": 0.1, "class_scores": 2.0, "box_codes": 0.5}

# What each side has.
FUNCTIONS = "inference", "training"


def of_gpu(smoke):
    """What is measured on a GPU; for a trial on a processor the smallest detector that there is."""
    large, small = WORKLOADS.values()
    if smoke:
        return dataclasses.replace(small, width=4, shape=(64, 64), batch_size=2)
    return dataclasses.replace(large, batch_size=8)
