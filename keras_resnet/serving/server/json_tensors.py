"""From JSON to tensors and back, in the two formats of TF Serving's REST interface.

Rows: `{"instances": [{"image_bytes": {"b64": ...}}, ...]}` is answered by `{"predictions": [...]}`;
columns: `{"inputs": {"image_bytes": [...]}}` by `{"outputs": {...}}`.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from keras_resnet.serving.server.statuses import RefusedError, invalid

# Characters of a value in a message.
_SHOWN = 200

# Of nested lists: as many dimensions as any NumPy's arrays have, of which rows are stacked.
_MAX_LEVELS = 31


def parsed(body: bytes) -> dict[str, Any]:
    """The object that the body of a request is; raises `RefusedError` where it is none."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return document


def inputs_of(
    document: Mapping[str, Any], signature: meta_graph_pb2.SignatureDef
) -> dict[str, np.ndarray]:
    """The arguments of a signature, by name, strings as arrays of objects.

    Args:
      document: of `parsed`.
      signature: TF Serving's `SignatureDef`.

    Raises:
      RefusedError: they are not arguments of the signature.
    """
    dtypes = {name: tf.as_dtype(info.dtype) for name, info in signature.inputs.items()}
    if is_in_rows(document):
        return _of_rows(document["instances"], dtypes)
    inputs = document["inputs"]
    if not isinstance(inputs, dict) or _is_base64(inputs):
        if len(dtypes) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        inputs = dict.fromkeys(dtypes, inputs)
    for name in dtypes:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _array(inputs[name], dtype) for name, dtype in dtypes.items()}


def is_in_rows(document: Mapping[str, Any]) -> bool:
    """Whether a request is in rows; raises `RefusedError` where it is in neither format."""
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if "instances" not in document and "inputs" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    return "instances" in document


def _of_rows(instances: Any, dtypes: Mapping[str, tf.DType]) -> dict[str, np.ndarray]:
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_shown(instances)} Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid("JSON Value: [] No values in 'instances' array")
    rows = [_named(row, place, dtypes) for place, row in enumerate(instances)]
    columns = {}
    for name, dtype in dtypes.items():
        arrays = [_array_of_row(row[name], dtype, place, name) for place, row in enumerate(rows)]
        for place, array in enumerate(arrays):
            if array.shape != arrays[0].shape:
                raise invalid(
                    f"Failed to process element: {place} key: {name} of 'instances' list. Error: "
                    f"Expecting shape {list(arrays[0].shape)} but got: {list(array.shape)}"
                )
        columns[name] = np.stack(arrays)
    return columns


def _named(row: Any, place: int, dtypes: Mapping[str, tf.DType]) -> Mapping[str, Any]:
    """A row with the names of its values, which a single one may lack."""
    if not isinstance(row, dict) or _is_base64(row):
        if len(dtypes) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input "
                "tensors required as per tensorinfo_map"
            )
        return dict.fromkeys(dtypes, row)
    if set(row) != set(dtypes):
        raise invalid(
            f"Failed to process element: {place} of 'instances' list. JSON object: {_shown(row)} "
            f"keys must be equal to: {','.join(sorted(dtypes))}"
        )
    return row


def _array_of_row(value: Any, dtype: tf.DType, place: int, name: str) -> np.ndarray:
    try:
        return _array(value, dtype)
    except RefusedError as refusal:
        raise invalid(
            f"Failed to process element: {place} key: {name} of 'instances' list. Error: "
            f"{refusal.message}"
        ) from refusal


def _array(value: Any, dtype: tf.DType) -> np.ndarray:
    """The array of nested lists, whose first elements say its shape."""
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if len(shape) > _MAX_LEVELS:
        raise invalid(f"Encountered list at level: {len(shape)} expected <= {_MAX_LEVELS}")
    # Counted before any memory is asked for: the first elements can say more than there are.
    values = list(_values(value, shape, 0))
    array = np.empty(len(values), dtype.as_numpy_dtype)
    try:
        for place, each in enumerate(values):
            array[place] = _converted(each, dtype)
    except (OverflowError, UnicodeEncodeError) as error:
        raise invalid(f"{error}: not of expected type: {dtype.name}") from error
    return array.reshape(shape)


def _values(value: Any, shape: list[int], level: int) -> Iterator[Any]:
    """The values of nested lists, in order, if these have that shape."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        yield value
    elif level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    elif len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    else:
        for each in value:
            yield from _values(each, shape, level + 1)


def _converted(value: Any, dtype: tf.DType) -> Any:
    """A value of JSON as one of a tensor."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype == tf.string:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict):
            return _decoded(value)
    elif dtype.is_floating:
        if is_number:
            return value
    elif dtype.is_integer:
        if is_number and isinstance(value, int):
            return value
    elif dtype.is_bool and isinstance(value, bool):
        return value
    raise invalid(f"JSON Value: {_shown(value)} is not of expected type: {dtype.name}")


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _decoded(value: Mapping[str, Any]) -> bytes:
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def _shown(value: Any) -> str:
    """A value of JSON as messages show it: its beginning."""
    return json.dumps(value)[:_SHOWN]


def answer(results: Mapping[str, np.ndarray], in_rows: bool) -> dict[str, Any]:
    """The body of an answer.

    Args:
      results: of a signature, by name. Strings whose name ends in `_bytes` are written in base64.
      in_rows: whether the request was.
    """
    columns = {name: _jsonable(value.tolist(), name) for name, value in results.items()}
    if len(columns) == 1:
        (only,) = columns.values()
        return {"predictions" if in_rows else "outputs": only}
    if not in_rows:
        return {"outputs": columns}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def _jsonable(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_jsonable(each, name) for each in value]
    if not isinstance(value, bytes):
        return value
    if name.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode()}
    return value.decode(errors="replace")
