"""Published weights as data: where they are, what they expect of images, how good they are."""

import dataclasses
from typing import TYPE_CHECKING, Any

from keras_resnet.checks import UserError
from keras_resnet.weights.packaged import PACKAGED

if TYPE_CHECKING:
    from keras_resnet.images.preprocessing import Preprocessing

# ImageNet's mean and deviation as torchvision has them, of values from 0 to 255.
_TORCH: dict[str, Any] = {"mean": (123.675, 116.28, 103.53), "deviation": (58.395, 57.12, 57.375)}
# keras.applications subtracts Caffe's mean, which is here in the order of RGB.
_CAFFE: dict[str, Any] = {"mean": (123.68, 116.779, 103.939)}

_TORCHVISION = "https://download.pytorch.org/models/"
_TIMM = "https://huggingface.co/timm/"
_TIMM_RELEASE = (
    "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights/"
)
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"


@dataclasses.dataclass(frozen=True)
class WeightSet:
    """One file of published weights.

    Attributes:
      url: of the file.
      file_name: under which it is kept.
      digest: see `download.fetched`.
      bottleneck_stride: place of the stride in bottlenecks; None where there are none.
      images: what the network expects of images, as arguments of `Preprocessing`.
      top1: published top-1 accuracy on ImageNet's validation images, single crop, in percent.
    """

    url: str
    file_name: str
    digest: str
    bottleneck_stride: str | None
    images: dict[str, Any]
    top1: float

    @property
    def preprocessing(self) -> "Preprocessing":
        """What the network expects of images."""
        # It needs TensorFlow, which the names of the sets do not.
        from keras_resnet.images.preprocessing import Preprocessing

        return Preprocessing(**self.images)


def _torch(
    depth: int,
    url: str,
    digest: str,
    images: dict[str, Any],
    top1: float,
    file_name: str | None = None,
) -> WeightSet:
    return WeightSet(
        url=url,
        file_name=file_name or url.rpartition("/")[2],
        digest=f"sha256:{digest}",
        bottleneck_stride="3x3" if depth >= 50 else None,
        images=images,
        top1=top1,
    )


def _torchvision(depth: int, digest: str, resize: int, top1: float) -> WeightSet:
    # The first digits of the SHA-256 are in the name.
    url = f"{_TORCHVISION}resnet{depth}-{digest}.pth"
    return _torch(depth, url, digest, {"size": 224, "resize": resize, **_TORCH}, top1)


def _timm(depth: int, tag: str, images: dict[str, Any], sha256: str, top1: float) -> WeightSet:
    name = f"resnet{depth}.{tag}"
    url = f"{_TIMM}{name}/resolve/main/model.safetensors"
    return _torch(depth, url, sha256, images, top1, f"{name}.safetensors")


def _keras(depth: int, digest: str, top1: float) -> WeightSet:
    file_name = f"resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    return WeightSet(
        url=_KERAS + file_name,
        file_name=file_name,
        digest=f"md5:{digest}",
        bottleneck_stride="1x1",
        images={"size": 224, "resize": 256, **_CAFFE},
        top1=top1,
    )


_PLAIN = {"size": 224, "resize": 256, **_TORCH}
# Of procedure A1 in "ResNet strikes back" (Wightman et al., 2021).
_STRIKES_BACK = {"size": 288, "resize": 288, "interpolation": "bicubic", **_TORCH}

# Of timm's copies on huggingface.co: the SHA-256 that is shown there, and the published top-1.
_TV = {
    18: ("694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81", 69.758),
    50: ("5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888", 76.130),
    152: ("15897077afdf4d6334dc0c3f8e6fb483afb3faa9298c139f3c6eb29bca6ae5b2", 78.312),
}
_A1 = {
    18: ("80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612", 73.158),
    34: ("829a220f9529d2b1ffdc8719d3273463001e0daf411eaf1916865d9db62c0ed2", 77.918),
    50: ("773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb", 81.214),
    101: ("1ba5b660e7c175b3c27c557fc7dc8b2815be830c516815b0155f61b403f27380", 82.322),
}

# Sources: torchvision 0.29.1, torchvision/models/resnet.py; timm 1.0.31, timm/models/resnet.py and
# results/results-imagenet.csv; Keras 3.15.1, keras/src/applications/resnet.py, and the table of
# keras.io/api/applications.
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
    "timm/tv_in1k": {depth: _timm(depth, "tv_in1k", _PLAIN, *_TV[depth]) for depth in _TV},
    "timm/a1_in1k": {depth: _timm(depth, "a1_in1k", _STRIKES_BACK, *_A1[depth]) for depth in _A1},
}
# One preprocessing for all five depths.
SETS["imagenet"] = SETS["torchvision/v1"]
# Of copies whose SHA-256 is not known here the files that timm names as their origins.
for _depth in (34, 101):
    SETS["timm/tv_in1k"][_depth] = SETS["torchvision/v1"][_depth]
SETS["timm/a1_in1k"][152] = _torch(
    152, f"{_TIMM_RELEASE}resnet152_a1_0-2eee8a7a.pth", "2eee8a7a", _STRIKES_BACK, 82.732
)

# All that `weights` may name: published sets, and what is in the package.
NAMES = (*SETS, *PACKAGED)


def family_of(name: str) -> str:
    """The family of networks that a name has weights of."""
    return "CifarResNet" if name in PACKAGED else "ResNet"


def weight_set(name: str, depth: int | None) -> WeightSet:
    """The `WeightSet` of a name for a depth of `ResNet`; None: of another network.

    Raises:
      UserError: there is none.
    """
    if depth not in SETS[name]:
        depths = ", ".join(map(str, sorted(SETS[name])))
        raise UserError(
            f"{name!r} has weights for the ResNets of Table 1 with {depths} layers, as they are by "
            "default; other networks take the path of a file. "
            f"Received: weights={name!r} for "
            f"{'another network' if depth is None else f'depth {depth}'}"
        )
    return SETS[name][depth]
