"""What is served, as the directory of an export and TF Serving's files in it say."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import file_system_storage_path_source_pb2 as storage_path
from tensorflow_serving.config import model_server_config_pb2

from keras_resnet.checks import UserError
from keras_resnet.serving.export import newest_version
from keras_resnet.serving.server.batching_parameters import batching_parameters

Policy = storage_path.FileSystemStoragePathSourceConfig.ServableVersionPolicy

# TF Serving's, where batching.config names none.
_MAX_BATCH_SIZE = 1000


@dataclasses.dataclass(frozen=True)
class Served:
    """What is served.

    Attributes:
      name: of the model, for clients.
      directory: of its versions.
      policy: which of these are served, TF Serving's `ServableVersionPolicy`.
      labels: numbers of versions by the names that clients may use for them.
      max_batch_size: rows of the largest request; None: any.
    """

    name: str
    directory: pathlib.Path
    policy: Any
    labels: Mapping[str, int]
    max_batch_size: int | None

    def versions(self) -> dict[int, pathlib.Path]:
        """The versions that are to be served now, by their numbers, in order."""
        paths = [path for path in self.directory.iterdir() if _is_number(path.name)]
        found = dict(sorted((int(path.name), path) for path in paths))
        if self.policy.HasField("all"):
            numbers = list(found)
        elif self.policy.HasField("specific"):
            numbers = [number for number in found if number in self.policy.specific.versions]
        else:
            numbers = list(found)[-(self.policy.latest.num_versions or 1) :]
        return {number: found[number] for number in numbers}


def served(export: str | os.PathLike[str]) -> Served:
    """What is served of an export, as `models.config` and `batching.config` in it say.

    Args:
      export: directory of versions, or of one, which then is the only one.

    Raises:
      UserError: it is neither, or a file cannot be understood.
    """
    version = newest_version(export).resolve()
    if not _is_number(version.name):
        raise UserError(
            "The name of a version's directory must be a number, as TF Serving wants it. "
            f"Received: {version}"
        )
    directory = version.parent
    config = _model_config(directory)
    policy = config.model_version_policy
    if version == pathlib.Path(export).resolve():
        policy = Policy(specific=Policy.Specific(versions=[int(version.name)]))
    return Served(
        config.name, directory, policy, dict(config.version_labels), _max_batch_size(directory)
    )


def _model_config(directory: pathlib.Path) -> Any:
    """TF Serving's `ModelConfig` of a directory of versions."""
    path = directory / "models.config"
    if not path.exists():
        return model_server_config_pb2.ModelConfig(name=directory.name)
    parsed = _parsed(path, model_server_config_pb2.ModelServerConfig())
    models = parsed.model_config_list.config
    own = [model for model in models if model.name == directory.name] or list(models)
    if len(own) != 1 or not own[0].name:
        raise UserError(
            f"{path} must have one `config` whose name is that of its directory, "
            f"{directory.name!r}. Received: {', '.join(repr(model.name) for model in models)}"
        )
    return own[0]


def _max_batch_size(directory: pathlib.Path) -> int | None:
    """The rows that TF Serving would accept; None: there is no file that bounds them."""
    path = directory / "batching.config"
    if not path.exists():
        return None
    return _parsed(path, batching_parameters()).max_batch_size.value or _MAX_BATCH_SIZE


def _parsed(path: pathlib.Path, message: Any) -> Any:
    """A message with what a file in protobuf's text format says."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        kind = message.DESCRIPTOR.name
        raise UserError(f"{path} must be a {kind} in protobuf's text format: {error}") from error


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and int(name) < 2**63
