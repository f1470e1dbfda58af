"""Networks that see pictures of any shape on a canvas, each made of a residual one."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras

from keras_resnet import checks
from keras_resnet.class_names import as_class_names
from keras_resnet.images.canvas import Canvas
from keras_resnet.networks.layer_tree import follow_blocks, layers_by_path
from keras_resnet.networks.resnet import ResNet


class OnCanvas(keras.Model):
    """Base of such networks: what they have in common, and how they come back from files.

    A subclass begins with `super().__init__`, and makes its layers of what it is given.

    Args:
      network: `ResNet`, with or without its top, of two stages or more.
      classes: number of classes.
      canvas: shorter and longer side of what it sees of a picture, see `Canvas`.
      class_names: names of the classes, in order; None: they have none.
      name: of the model; None: one of Keras's.
      arguments: the others of the subclass, as it is made again from JSON.

    Attributes:
      backbone_parts: names of the parts that are the backbone's.
      preprocessing: what it expects of pictures, that of the network.

    Raises:
      UserError: an argument is none of the above; the message names it.
    """

    backbone_parts: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        network: ResNet,
        classes: int,
        canvas: Sequence[int],
        class_names: Sequence[str] | None,
        name: str | None,
        **arguments: Any,
    ) -> None:
        if not isinstance(network, ResNet):
            raise checks.UserError(
                f"`network` must be a keras_resnet.ResNet. Received: network={network!r}"
            )
        self._config = network.get_config()
        if len(self._config["blocks"]) < 2:
            raise checks.UserError("`network` must have two stages or more. Received: one")
        checks.check_integer("classes", classes, 1)
        sides = checks.plain(canvas)
        if not isinstance(sides, list | tuple) or len(sides) != 2:
            raise checks.UserError(
                f"`canvas` must be two numbers of pixels. Received: canvas={checks.shown(canvas)}"
            )
        names = None if class_names is None else as_class_names(class_names)
        if names is not None and len(names) != classes:
            raise checks.UserError(
                f"`class_names` must be of {classes} classes. Received: {len(names)}"
            )
        self._arguments = {"classes": classes, "canvas": list(sides), **arguments}
        super().__init__(name=name, dtype=self._config["dtype"])
        self.classes = classes
        self.class_names = names
        self.canvas = Canvas(*sides)
        self.preprocessing = network.preprocessing

    def get_config(self) -> dict[str, Any]:
        # Keras keeps a tuple as a list of its own.
        names = self.class_names
        preprocessing = self.preprocessing
        return {
            **self._arguments,
            "network": {
                **self._config,
                "preprocessing": None if preprocessing is None else preprocessing.to_json(),
            },
            "class_names": None if names is None else list(as_class_names(names)),
            "name": self.name,
            "frozen": [path for path, layer in layers_by_path(self).items() if not layer.trainable],
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, object] | None = None
    ) -> Self:
        config = dict(config)
        frozen = config.pop("frozen")
        model = cls(ResNet.from_config(config.pop("network")), **config)
        for path, layer in layers_by_path(model).items():
            layer.trainable = path not in frozen
        for part in cls.backbone_parts:
            follow_blocks(getattr(model, part))
        return model
