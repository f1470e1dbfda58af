"""The versions of an export that are in memory: new ones come before old ones go."""

import pathlib
import threading
from collections.abc import Callable
from typing import TypeAlias

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from keras_resnet.serving.server.configs import Served
from keras_resnet.serving.server.loaded import Loaded
from keras_resnet.serving.server.statuses import RefusedError, invalid

Status: TypeAlias = get_model_status_pb2.ModelVersionStatus


class Versions:
    """The versions of an export that are in memory.

    Args:
      served: what is served.
      say: told in a line what becomes of a version.
    """

    def __init__(self, served: Served, say: Callable[[str], None]) -> None:
        self.served, self._say = served, say
        self._loaded: dict[int, Loaded] = {}
        self._statuses: dict[int, Status] = {}
        self._lock = threading.Lock()

    def numbers(self) -> list[int]:
        """Of those that answer, in order."""
        with self._lock:
            return sorted(self._loaded)

    def refresh(self) -> None:
        """Loads what is to be served and is not yet, and then drops what is not any more.

        A version that does not load is said once, and the others go on; it is tried again after it
        was taken away and brought back.
        """
        wanted = self.served.versions()
        with self._lock:
            for number in set(self._statuses) - set(wanted) - set(self._loaded):
                del self._statuses[number]
            new = [number for number in wanted if number not in self._statuses]
        for number in new:
            self._load(number, wanted[number])
        with self._lock:
            unwanted = sorted(set(self._loaded) - set(wanted))
            # Better an old version than none.
            is_replaced = not wanted or any(number in self._loaded for number in wanted)
            dropped = unwanted if is_replaced else []
            for number in dropped:
                del self._loaded[number], self._statuses[number]
        for number in dropped:
            self._say(f"Version {number} is not served any more.")

    def _load(self, number: int, path: pathlib.Path) -> None:
        self._set_status(number, Status.LOADING)
        try:
            loaded = Loaded(path, self.served.max_batch_size)
            loaded.warm_up()
        except Exception as error:  # In a directory anything can be wrong.
            code = getattr(error, "code", grpc.StatusCode.INTERNAL)
            message = f"Version {number} does not load: {error} ({type(error).__name__})"
            self._set_status(number, Status.END, code, message)
            self._say(message)
            return
        with self._lock:
            self._loaded[number] = loaded
        self._set_status(number, Status.AVAILABLE)
        self._say(f"Version {number} is served.")

    def _set_status(
        self,
        number: int,
        state: int,
        code: grpc.StatusCode = grpc.StatusCode.OK,
        message: str = "",
    ) -> None:
        status = Status(version=number, state=state)
        status.status.error_code, status.status.error_message = code.value[0], message
        with self._lock:
            self._statuses[number] = status

    def of(self, spec: model_pb2.ModelSpec) -> tuple[int, Loaded]:
        """The number and the version that a request is for, without a number the newest.

        Raises:
          RefusedError: it is not served.
        """
        asked = self._number(spec)
        with self._lock:
            number = max(self._loaded, default=0) if asked is None else asked
            loaded = self._loaded.get(number)
        if loaded is None or spec.name != self.served.name:
            request = f"Latest({spec.name})" if asked is None else f"Specific({spec.name}, {asked})"
            message = f"Servable not found for request: {request}"
            raise RefusedError(grpc.StatusCode.NOT_FOUND, message)
        return number, loaded

    def statuses(self, spec: model_pb2.ModelSpec) -> list[Status]:
        """How far the versions are that a request is about, the newest first.

        Raises:
          RefusedError: there are none.
        """
        asked = self._number(spec)
        with self._lock:
            known = dict(self._statuses) if spec.name == self.served.name else {}
        found = [known[number] for number in sorted(known, reverse=True) if asked in (None, number)]
        if not found:
            version = "any versions" if asked is None else f"version {asked}"
            message = f"Could not find {version} of model {spec.name}"
            raise RefusedError(grpc.StatusCode.NOT_FOUND, message)
        return found

    def _number(self, spec: model_pb2.ModelSpec) -> int | None:
        """The number of the version that is meant; None: any."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        if spec.version_label:
            labels = self.served.labels if spec.name == self.served.name else {}
            if spec.version_label not in labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return labels[spec.version_label]
        return spec.version.value if spec.HasField("version") else None
