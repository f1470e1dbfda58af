"""Asks a SavedModel through TensorFlow's C API, as TF Serving does, without TensorFlow's Python.

  python c_api_client.py LIBRARY VERSION_DIR INPUT_OPERATION FILE OUTPUT_OPERATION:INDEX ...

The files' bytes are one batch of strings. Printed are the outputs as JSON: lists of numbers or of
texts, in rows.
"""

import ctypes
import json
import math
import sys

_, library, version_dir, input_operation, files, *outputs = sys.argv
tf = ctypes.CDLL(library)


class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


for name in (
    *("NewSessionOptions", "NewGraph", "NewStatus", "LoadSessionFromSavedModel", "TensorData"),
    *("GraphOperationByName", "AllocateTensor", "StringGetDataPointer"),
):
    getattr(tf, f"TF_{name}").restype = ctypes.c_void_p
tf.TF_Message.restype = ctypes.c_char_p
for name in ("StringGetSize", "TensorByteSize"):
    getattr(tf, f"TF_{name}").restype = ctypes.c_size_t
tf.TF_Dim.restype = ctypes.c_int64

STRING, FLOAT, INT32 = 7, 1, 3
SIZE_OF_STRING = 24
pointer = ctypes.c_void_p
status = pointer(tf.TF_NewStatus())
graph = pointer(tf.TF_NewGraph())


def check():
    if tf.TF_GetCode(status):
        sys.exit(tf.TF_Message(status).decode())


def operation(name):
    found = tf.TF_GraphOperationByName(graph, name.encode())
    assert found, name
    return found


def strings(values):
    dims = (ctypes.c_int64 * 1)(len(values))
    size = ctypes.c_size_t(SIZE_OF_STRING * len(values))
    tensor = tf.TF_AllocateTensor(STRING, dims, 1, size)
    start = tf.TF_TensorData(pointer(tensor))
    for position, value in enumerate(values):
        place = pointer(start + SIZE_OF_STRING * position)
        tf.TF_StringInit(place)
        tf.TF_StringCopy(place, value, ctypes.c_size_t(len(value)))
    return tensor


def values_of(tensor):
    tensor = pointer(tensor)
    dims = [tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor))]
    start, count, kind = tf.TF_TensorData(tensor), math.prod(dims), tf.TF_TensorType(tensor)
    if kind == STRING:
        places = [pointer(start + SIZE_OF_STRING * position) for position in range(count)]
        flat = [
            ctypes.string_at(tf.TF_StringGetDataPointer(p), tf.TF_StringGetSize(p)).decode()
            for p in places
        ]
    else:
        type_of_value = {FLOAT: ctypes.c_float, INT32: ctypes.c_int32}[kind]
        flat = list((type_of_value * count).from_address(start))
    if len(dims) == 1:
        return flat
    rows, columns = dims
    return [flat[row * columns : (row + 1) * columns] for row in range(rows)]


tags = (ctypes.c_char_p * 1)(b"serve")
session = pointer(
    tf.TF_LoadSessionFromSavedModel(
        pointer(tf.TF_NewSessionOptions()),
        None,
        version_dir.encode(),
        tags,
        1,
        graph,
        None,
        status,
    )
)
check()
contents = []
for file in files.split(","):
    with open(file, "rb") as opened:
        contents.append(opened.read())
names = [name.rpartition(":") for name in outputs]
fetched = (Output * len(names))(*((operation(name), int(index)) for name, _, index in names))
fed = (Output * 1)(Output(operation(input_operation), 0))
given = (ctypes.c_void_p * 1)(strings(contents))
results = (ctypes.c_void_p * len(names))()
tf.TF_SessionRun(session, None, fed, given, 1, fetched, results, len(names), None, 0, None, status)
check()
assert not {"tensorflow", "keras", "keras_resnet", "numpy"} & set(sys.modules)
print(json.dumps([values_of(result) for result in results]))
