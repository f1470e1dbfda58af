"""Weights into the files of others and ours, and what their own frameworks answer with them."""

import os
import pathlib

import h5py
import keras

from keras_resnet import files
from keras_resnet.checks import UserError
from keras_resnet.networks.resnet import ResNet
from keras_resnet.weights import names
from keras_resnet.weights.formats import check_free, format_of
from keras_resnet.weights.local import write_safetensors


def write(model: ResNet, path: str | os.PathLike[str]) -> None:
    """Writes a network or its weights, whole or not at all, in the format that the name means.

    Args:
      model: `ResNet`.
      path: of a file that does not exist; see `FORMATS`.

    Raises:
      UserError: the file exists, or its format does not hold such a network.
      OSError: it cannot be written.
    """
    check_free(path)
    path, suffix = pathlib.Path(path), format_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writers = {
        ".keras": lambda unfinished: model.save(unfinished),
        ".weights.h5": lambda unfinished: _write_weights(model, unfinished),
        ".safetensors": lambda unfinished: write_safetensors(model, unfinished),
        ".h5": lambda unfinished: _write_applications(model, unfinished),
    }
    with files.replacing(path) as unfinished:
        writers[suffix](unfinished)


def write_keras(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Writes a network with others as parts, whole or not at all.

    Args:
      model: of this package.
      path: of a `.keras` file that does not exist.

    Raises:
      UserError: the file exists, or its name ends otherwise.
      OSError: it cannot be written.
    """
    check_free(path)
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        raise UserError(f"A {type(model).__name__} is written as .keras alone. Received: {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as unfinished:
        model.save(unfinished)


def _write_weights(model: ResNet, path: pathlib.Path) -> None:
    # Keras insists on the end of the name.
    named = path.with_name(f"{path.name}.weights.h5")
    try:
        model.save_weights(named)
        os.replace(named, path)
    finally:
        named.unlink(missing_ok=True)


def _write_applications(model: ResNet, path: pathlib.Path) -> None:
    peer = applications_network(model)
    weights = {name: v.numpy() for name, v in names.variables_by_name(model).items()}
    values = names.to_keras(weights)
    with h5py.File(path, "w") as file:
        # The layout that keras.applications publishes, in the order of its layers.
        file.attrs["layer_names"] = [layer.name.encode() for layer in peer.layers]
        for layer in peer.layers:
            group = file.create_group(layer.name)
            paths = [f"{layer.name}/{variable.name}" for variable in layer.variables]
            group.attrs["weight_names"] = [f"{path}:0".encode() for path in paths]
            for path_of_weight in paths:
                group[f"{path_of_weight}:0"] = values[path_of_weight]


def applications_network(model: ResNet) -> keras.Model:
    """The network of keras.applications that computes what ours does, without its weights.

    It takes images of any size, and ends in logits.

    Raises:
      UserError: there is none.
    """
    config = model.get_config()
    depth = 3 * sum(config["blocks"]) + 2
    expected = {
        "stem": "imagenet",
        "block": "bottleneck",
        "bottleneck_stride": "1x1",
        "shortcut": "B",
        "activation": "relu",
        "stacked": False,
        "folded": False,
    }
    differing = [name for name, value in expected.items() if config[name] != value]
    if differing or depth not in (50, 101, 152):
        reason = f"{differing[0]}={config[differing[0]]!r}" if differing else f"{depth} layers"
        raise UserError(
            "keras.applications has ResNets of 50, 101 and 152 layers with the stride in the first "
            f"1x1 convolution. Received: a network with {reason}"
        )
    return getattr(keras.applications, f"ResNet{depth}")(
        include_top=config["include_top"],
        weights=None,
        input_tensor=keras.Input((None, None, config["input_shape"][-1])),
        classes=config["classes"],
        classifier_activation=None,
    )
