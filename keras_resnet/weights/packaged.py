"""Trained weights that are a part of the package: of which networks, and where."""

import pathlib

from keras_resnet.checks import UserError

# By name and depth: the files beside this one, each with its model card (.md). They are of
# `CifarResNet` as it is by default, and say themselves what they expect of images.
PACKAGED = {
    "fashion_mnist": {
        20: "fashion_mnist/cifar_resnet20.safetensors",
    },
}


def packaged_file(name: str, depth: int | None) -> pathlib.Path:
    """The file of weights of a name for a depth of `CifarResNet`; None: of another network.

    Raises:
      UserError: there is none.
    """
    files = PACKAGED[name]
    if depth not in files:
        raise UserError(
            f"{name!r} has weights for CifarResNet with {', '.join(map(str, sorted(files)))} "
            "layers, as it is by default; other networks take the path of a file. "
            f"Received: weights={name!r} for "
            f"{'another network' if depth is None else f'depth {depth}'}"
        )
    return pathlib.Path(__file__).parent / files[depth]
