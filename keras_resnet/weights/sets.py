"""Published weights as data: where they are, what they expect of images, how good they are."""

import dataclasses

from keras_resnet.checks import UserError
from keras_resnet.preprocessing import Preprocessing

# ImageNet's mean and deviation as torchvision has them, of values from 0 to 255.
_TORCH = {"mean": (123.675, 116.28, 103.53), "deviation": (58.395, 57.12, 57.375)}
# keras.applications subtracts Caffe's mean, which is here in the order of RGB.
_CAFFE = {"mean": (123.68, 116.779, 103.939)}

_TORCHVISION = "https://download.pytorch.org/models/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"


@dataclasses.dataclass(frozen=True)
class WeightSet:
    """One file of published weights.

    Attributes:
      url: of the file.
      digest: see `download.fetched`.
      bottleneck_stride: place of the stride in bottlenecks; None where there are none.
      preprocessing: what the network expects of images.
      top1: published top-1 accuracy on ImageNet's validation images, single crop, in percent.
    """

    url: str
    digest: str
    bottleneck_stride: str | None
    preprocessing: Preprocessing
    top1: float


def _torchvision(depth, digest, resize, top1):
    return WeightSet(
        # The first digits of the SHA-256 are in the name.
        url=f"{_TORCHVISION}resnet{depth}-{digest}.pth",
        digest=f"sha256:{digest}",
        bottleneck_stride="3x3" if depth >= 50 else None,
        preprocessing=Preprocessing(size=224, resize=resize, **_TORCH),
        top1=top1,
    )


def _keras(depth, digest, top1):
    return WeightSet(
        url=f"{_KERAS}resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5",
        digest=f"md5:{digest}",
        bottleneck_stride="1x1",
        preprocessing=Preprocessing(size=224, resize=256, **_CAFFE),
        top1=top1,
    )


# Sources: torchvision 0.29.1, torchvision/models/resnet.py; Keras 3.15.1,
# keras/src/applications/resnet.py, and the table of keras.io/api/applications.
SETS = {
    "torchvision/v1": {
        18: _torchvision(18, "f37072fd", 256, 69.758),
        34: _torchvision(34, "b627a593", 256, 73.314),
        50: _torchvision(50, "0676ba61", 256, 76.130),
        101: _torchvision(101, "63fe2227", 256, 77.374),
        152: _torchvision(152, "394f9c45", 256, 78.312),
    },
    "torchvision/v2": {
        50: _torchvision(50, "11ad3fa6", 232, 80.858),
        101: _torchvision(101, "cd907fc2", 232, 81.886),
        152: _torchvision(152, "f82ba261", 232, 82.284),
    },
    "keras": {
        50: _keras(50, "2cb95161c43110f7111970584f804107", 74.9),
        101: _keras(101, "f1aeb4b969a6efcfb50fad2f0c20cfc5", 76.4),
        152: _keras(152, "100835be76be38e30d865e96f2aaae62", 76.6),
    },
}

# One preprocessing for all five depths.
SETS["imagenet"] = SETS["torchvision/v1"]


def weight_set(name, depth):
    """The `WeightSet` of a name for a depth.

    Raises:
      UserError: there is none.
    """
    if depth not in SETS[name]:
        depths = ", ".join(map(str, SETS[name]))
        raise UserError(
            f"`weights` must be for the network: {name!r} has depths {depths}. "
            f"Received: weights={name!r} for depth {depth}"
        )
    return SETS[name][depth]
