"""A network, or an export of one, that answers in this process."""

import os
from collections.abc import Callable, Collection, Sequence, Set

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.process import onednn
from keras_resnet.serving.clients.client import SIGNATURE, Client
from keras_resnet.serving.export import newest_version
from keras_resnet.serving.options import TOP, Limits
from keras_resnet.serving.servable import servable


class _FunctionClient(Client):
    """A function of this process that answers as a signature does.

    Args:
      address, arguments, results, batch_size: see `Client`.
      function: of a string tensor [n], its only argument, by name; gives a dict of tensors.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        arguments: Collection[str],
        results: Set[str],
        batch_size: int | None,
        function: Callable[..., dict[str, tf.Tensor]],
    ) -> None:
        super().__init__(address, arguments, results, batch_size)
        self._function = function

    def _results(self, pictures: Sequence[bytes]) -> dict[str, np.ndarray]:
        number = len(pictures)
        if number == 1 and onednn.is_slow_for_one():
            pictures = [*pictures, *pictures]
        results = self._function(**{self._argument: tf.constant(pictures)})
        return {name: value.numpy()[:number] for name, value in results.items()}


class SavedModelClient(_FunctionClient):
    """An export that runs in this process.

    Args:
      directory: of a version, or of versions, of which the highest is used.
      batch_size: see `Client`.
    """

    def __init__(self, directory: str | os.PathLike[str], batch_size: int | None = None) -> None:
        version = newest_version(directory)
        try:
            # The signature alone would not keep the variables.
            self._loaded = tf.saved_model.load(str(version))
            function = self._loaded.signatures[SIGNATURE]
        except (tf.errors.OpError, OSError, ValueError, LookupError) as error:
            message = f"{version} does not load as an export: {type(error).__name__}"
            raise UserError(message) from error
        _, arguments = function.structured_input_signature
        results = function.structured_outputs.keys()
        super().__init__(version, arguments.keys(), results, batch_size, function)


class NetworkClient(_FunctionClient):
    """A network in this process, which answers as an export of it would.

    Args:
      model: `ResNet` with a classifier, `FasterRCNN`, `Localizer` or `FCN`, and a `preprocessing`.
      address: what to call it in messages; None: by its name.
      batch_size: see `Client`.

    Raises:
      UserError: it is a network that cannot be exported.
    """

    def __init__(
        self,
        model: keras.Model,
        address: str | os.PathLike[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._served = servable(model, TOP, Limits())
        function, argument = self._served.functions[SIGNATURE]
        traced = tf.function(function, input_signature=[argument], autograph=False)
        results = set(self._served.kind.columns)
        name = address or model.name
        super().__init__(name, [argument.name], results, batch_size, traced)
        self.preprocessing = model.preprocessing
