import base64
import json

import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from keras_resnet.serving.server import json_tensors
from keras_resnet.serving.server.statuses import RefusedError


def signature(**dtypes):
    inputs = {
        name: meta_graph_pb2.TensorInfo(dtype=getattr(types_pb2, f"DT_{dtype.upper()}"))
        for name, dtype in dtypes.items()
    }
    return meta_graph_pb2.SignatureDef(inputs=inputs)


def nested(levels):
    """A list of 32 whose first is such a list, and so on."""
    return [nested(levels - 1) if levels > 1 else 1, *[1] * 31]


def in_lists(value, levels):
    """A list of a list, and so on, of one value."""
    return [in_lists(value, levels - 1)] if levels else value


PICTURES = signature(image_bytes="string")
A, B = ({"b64": base64.b64encode(data).decode()} for data in (b"\xff\x00", b"longer"))


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [A, B]},
        {"instances": [{"image_bytes": A}, {"image_bytes": B}]},
        {"inputs": [A, B]},
        {"inputs": {"image_bytes": [A, B]}},
    ],
)
def test_bytes_are_understood_in_all_formats(document):
    (array,) = json_tensors.inputs_of(document, PICTURES).values()
    assert array.dtype == object and array.tolist() == [b"\xff\x00", b"longer"]


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("uint8", [[0, 255], [1, 2]], np.array([[0, 255], [1, 2]], np.uint8)),
        ("int64", [2**62], np.array([2**62])),
        ("float", [0.1, 3], np.array([0.1, 3], np.float32)),
        ("string", ["ä", "b"], np.array(["ä".encode(), b"b"], object)),
        ("bool", [True, False], np.array([True, False])),
        ("float", [[], []], np.zeros((2, 0), np.float32)),
        ("float", 5.0, np.array(5, np.float32)),
    ],
)
def test_values_have_the_type_of_the_signature(dtype, values, expected):
    (array,) = json_tensors.inputs_of({"inputs": values}, signature(x=dtype)).values()
    assert array.dtype == expected.dtype and array.shape == expected.shape
    np.testing.assert_array_equal(array, expected)
    if isinstance(values, list):
        (rows,) = json_tensors.inputs_of({"instances": values}, signature(x=dtype)).values()
        np.testing.assert_array_equal(rows, expected)


def test_several_arguments_have_names():
    two = signature(x="float", z="int32")
    rows = {"instances": [{"x": [1.0, 2.0], "z": 3}, {"x": [4.0, 5.0], "z": 6}]}
    columns = {"inputs": {"x": [[1.0, 2.0], [4.0, 5.0]], "z": [3, 6]}}
    for document in (rows, columns):
        found = json_tensors.inputs_of(document, two)
        assert {name: value.tolist() for name, value in found.items()} == columns["inputs"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [], "instances": []}, "only one of 'inputs' or 'instances'"),
        ({"instances": A}, "to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [{"other": A}]}, "element: 0 of .* keys must be equal to: image_bytes"),
        ({"instances": [A, [A]]}, r"element: 1 key: image_bytes .*Expecting shape \[\] but.*\[1\]"),
        ({"instances": [{"b64": "?"}]}, "Unable to base64 decode"),
        ({"instances": [{"image_bytes": {"b63": ""}}]}, "not formatted correctly for base64"),
        ({"instances": [5]}, "JSON Value: 5 is not of expected type: string"),
        ({"instances": ["\ud800"]}, "surrogates not allowed"),
        ({"inputs": {"other": [A]}}, "Missing named input: image_bytes"),
        ({"inputs": [[A, B], [A]]}, "unexpected size: 1 at level: 1 expected size: 2"),
        ({"inputs": [[A], B]}, "incorrect level: 2 .* Expected at level: 2"),
        ({"inputs": [A, [A]]}, "list at unexpected level: 1 expected < 1"),
        # Its first elements say that it has 32 to the 14 values.
        ({"inputs": nested(14)}, "found at incorrect level: 14"),
        # More than an array can have, alone or as a row.
        ({"inputs": in_lists(A, 65)}, "list at level: 65 expected <= 31"),
        ({"instances": [in_lists(A, 64)]}, "element: 0 .*list at level: 64 expected <= 31"),
    ],
)
def test_what_fits_no_signature_is_refused(document, message):
    with pytest.raises(RefusedError, match=message) as refusal:
        json_tensors.inputs_of(document, PICTURES)
    assert refusal.value.http_status == 400


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("uint8", 256, "out of bounds for uint8"),
        ("uint8", 1.5, "not of expected type: uint8"),
        ("uint8", True, "not of expected type: uint8"),
        ("float", "1", "not of expected type: float32"),
        ("float", None, "JSON Value: null is not of expected type"),
        ("bool", 1, "not of expected type: bool"),
        ("complex64", 1, "not of expected type: complex64"),
    ],
)
def test_values_of_another_type_are_refused(dtype, value, message):
    with pytest.raises(RefusedError, match=message):
        json_tensors.inputs_of({"instances": [value]}, signature(x=dtype))


def test_a_plain_list_is_for_one_argument():
    two = signature(x="float", z="float")
    for document in ({"instances": [1.0]}, {"inputs": [1.0]}):
        with pytest.raises(RefusedError, match="multiple input tensors required"):
            json_tensors.inputs_of(document, two)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b"\xff", "JSON Parse error"),
        (b"[1]", r"JSON Value: \[1\] Is not object"),
        (b'{"signature_name": 5}', "'signature_name' key must be a string value"),
    ],
)
def test_bodies_that_are_no_requests_are_refused(body, message):
    with pytest.raises(RefusedError, match=message):
        json_tensors.parsed(body)


def test_messages_show_the_beginning_of_long_values():
    with pytest.raises(RefusedError) as refusal:
        json_tensors.parsed(json.dumps(["long"] * 100_000).encode())
    assert len(refusal.value.message) < 300


RESULTS = {
    "y": np.array([[1.5], [2.5]], np.float32),
    "label": np.array(["ä".encode(), b"\xff"], object),
    "mask_bytes": np.array([b"\xff\x00", b"longer"], object),
}


def test_answers_are_written_in_rows_and_columns():
    rows = [
        {"y": [1.5], "label": "ä", "mask_bytes": A},
        {"y": [2.5], "label": "\ufffd", "mask_bytes": B},
    ]
    columns = {name: [row[name] for row in rows] for name in RESULTS}
    assert json_tensors.answer(RESULTS, in_rows=True) == {"predictions": rows}
    assert json_tensors.answer(RESULTS, in_rows=False) == {"outputs": columns}


def test_a_single_result_has_no_name():
    only = {"y": RESULTS["y"]}
    assert json_tensors.answer(only, in_rows=True) == {"predictions": [[1.5], [2.5]]}
    assert json_tensors.answer(only, in_rows=False) == {"outputs": [[1.5], [2.5]]}
