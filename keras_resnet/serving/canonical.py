"""A SavedModel in the bytes that its network always has, whatever its process made before.

TensorFlow numbers what a process makes, and the numbers are parts of names: of functions, of their
arguments, of gradients. It notes how many processors there are, serializes maps in any order, and a
fingerprint holds a random number.
"""

import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from tensorflow.core.framework.attr_value_pb2 import NameAttrList
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.core.protobuf.saved_object_graph_pb2 import (
    SavedBareConcreteFunction,
    SavedObjectGraph,
)
from tensorflow.python.saved_model.fingerprinting_utils import write_fingerprint

_NUMBER = re.compile(r"_\d+$")

# Of the settings of TensorFlow that calls of functions repeat: a server has its own.
_OF_MACHINE = (
    *("device_count", "gpu_options"),
    *("intra_op_parallelism_threads", "inter_op_parallelism_threads"),
)


def make_canonical(directory: str | os.PathLike[str]) -> None:
    """Rewrites saved_model.pb and fingerprint.pb of a SavedModel that TensorFlow has just written.

    Functions are numbered in the order of their use, and arguments by their places; functions that
    nothing uses are left out. What the signatures compute stays as it is.
    """
    path = pathlib.Path(directory) / "saved_model.pb"
    saved_model = SavedModel.FromString(path.read_bytes())
    for graph in saved_model.meta_graphs:
        _rename_functions(graph.graph_def, graph.object_graph_def)
    _write(path, saved_model)
    write_fingerprint(os.fspath(directory))
    digest = hashlib.sha256(path.read_bytes()).digest()
    path = path.with_name("fingerprint.pb")
    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = str(int.from_bytes(digest[:16]))
    _write(path, fingerprint)


def _write(path: pathlib.Path, message: Message) -> None:
    path.write_bytes(message.SerializeToString(deterministic=True))


def _rename_functions(graph: GraphDef, objects: SavedObjectGraph) -> None:
    by_name = {function.signature.name: function for function in graph.library.function}
    names: dict[str, str] = {}

    def use(name: str) -> None:
        if name not in names:
            names[name] = _NUMBER.sub(f"_{len(names)}", name)
            for used in _uses(by_name[name].node_def):
                use(used.name)

    for used in _uses(graph.node):
        use(used.name)
    described = SavedObjectGraph(concrete_functions=objects.concrete_functions).concrete_functions
    objects.concrete_functions.clear()
    for signature in _signatures_of(objects):
        name = signature.concrete_function_name
        use(name)
        objects.concrete_functions[names[name]].CopyFrom(described[name])
        signature.concrete_function_name = names[name]
    functions = [by_name[name] for name in names]
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    for use_of in _uses(nodes):
        use_of.name = names[use_of.name]
    for node in nodes:
        _forget_process(node)
    for function in functions:
        function.signature.name = names[function.signature.name]
        _rename_arguments(function)
    del graph.library.function[:]
    graph.library.function.extend(functions)


def _uses(nodes: Iterable[NodeDef]) -> Iterator[NameAttrList]:
    """Where nodes name functions, in the order of nodes and of names of attributes."""
    for node in nodes:
        for _, attribute in sorted(node.attr.items()):
            if attribute.HasField("func"):
                yield attribute.func
            yield from attribute.list.func


def _signatures_of(objects: SavedObjectGraph) -> list[SavedBareConcreteFunction]:
    kind = "bare_concrete_function"
    return [node.bare_concrete_function for node in objects.nodes if node.HasField(kind)]


def _forget_process(node: NodeDef) -> None:
    """Removes the number of a gradient, which is not saved, and what is said of the processors."""
    node.attr.pop("_gradient_op_type", None)
    if "config_proto" in node.attr:
        config = ConfigProto.FromString(node.attr["config_proto"].s)
        for name in _OF_MACHINE:
            config.ClearField(name)
        node.attr["config_proto"].s = config.SerializeToString(deterministic=True)


def _rename_arguments(function: FunctionDef) -> None:
    """Numbers the arguments of a function by their places: names of theirs hold other numbers."""
    arguments = function.signature.input_arg
    names = {each.name: f"argument_{place}" for place, each in enumerate(arguments)}
    for argument in arguments:
        argument.name = names[argument.name]
    for node in function.node_def:
        # Of a control dependency the name follows a ^.
        node.input[:] = [
            f"^{names.get(name[1:], name[1:])}" if name.startswith("^") else names.get(name, name)
            for name in node.input
        ]
    for result, name in list(function.ret.items()):
        function.ret[result] = names.get(name, name)
    for attributes in function.arg_attr.values():
        name = "_user_specified_name"
        if name in attributes.attr and attributes.attr[name].s.isdigit():
            del attributes.attr[name]
