"""What a traced function would do on a GPU, read from TensorFlow's registry of kernels.

The registry of the wheel for CPUs has those of GPUs, too. Where an operation has no kernel for GPUs
it stays on the host, and what goes between the two is copied.
"""

import collections
import functools

import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import device_properties_pb2
from tensorflow.python.framework import kernels, op_def_registry
from tensorflow.python.grappler import cluster, tf_optimizer

# Raise on a GPU where determinism is asked for: found by their messages in TensorFlow's library
# ("determinis"), for 2.21. Those of segments do so for some reductions only.
RAISE_UNDER_DETERMINISM = {
    *("AdjustContrast", "AdjustContrastv2", "Bincount", "CropAndResizeGradBoxes"),
    *("CropAndResizeGradImage", "DebugNumericSummaryV2", "DenseBincount"),
    *("Dilation2DBackpropFilter", "Dilation2DBackpropInput", "FakeQuantWithMinMaxVarsGradient"),
    *("FakeQuantWithMinMaxVarsPerChannelGradient", "MaxPoolGradWithArgmax"),
    *("ResizeNearestNeighborGrad", "SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd"),
    *("SegmentSum", "SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"),
    *("SparseTensorDenseMatMul", "Svd", "Timestamp", "UnsortedSegmentMax", "UnsortedSegmentMin"),
    *("UnsortedSegmentProd", "UnsortedSegmentSum"),
}

# Have kernels for any device, and yet compute on the host.
_CALLS_OF_PYTHON = {"EagerPyFunc", "PyFunc", "PyFuncStateless"}

# The logical processor that is the host where another one takes the part of the GPU.
HOST = "CPU:0"

_GPU = "/job:localhost/replica:0/task:0/device:GPU:0"

# Kept in the host's memory by whatever has no kernel of its own, such as loops and calls.
_HOST_TYPES = {types_pb2.DT_INT32, types_pb2.DT_STRING, types_pb2.DT_RESOURCE}


def as_on_a_gpu(function):
    """The graph of a concrete function as TensorFlow rewrites it for a GPU: a GraphDef.

    Shapes that are known become constants, and operations are fused.
    """
    graph = function.graph.as_graph_def()
    for node in (*graph.node, *(node for each in graph.library.function for node in each.node_def)):
        if kernel_of(node, "GPU") is not None and not _is_on_host(node):
            node.device = _GPU
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=graph, graph=function.graph)
    # What must stay.
    kept = [tensor.name for tensor in function.outputs]
    kept += [operation.name for operation in function.graph.control_outputs]
    meta_graph.collection_def["train_op"].node_list.value.extend(kept)
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1
    return tf_optimizer.OptimizeGraph(config, meta_graph, cluster=_cluster())


def _cluster():
    """A machine with a GPU, as far as Grappler looks at it."""
    devices = []
    for name, kind in ((_GPU, "GPU"), (_GPU.replace("GPU", "CPU"), "CPU")):
        device = device_properties_pb2.NamedDevice(name=name)
        device.properties.type = kind
        devices.append(device)
    devices[0].properties.environment["architecture"] = "9.0"
    return cluster.Cluster(devices=devices)


def bodies(graph):
    """Of a GraphDef and each function in it the nodes, and the types of arguments by name."""
    yield list(graph.node), {}
    for each in graph.library.function:
        arguments = {argument.name: argument.type for argument in each.signature.input_arg}
        yield list(each.node_def), arguments


def operations(graph):
    """All nodes of a GraphDef and its functions, without the calls of these and the inputs."""
    own = {"Placeholder", *(each.signature.name for each in graph.library.function)}
    return [node for nodes, _ in bodies(graph) for node in nodes if node.op not in own]


@functools.cache
def _kernels(operation):
    return list(kernels.get_registered_kernels_for_op(operation).kernel)


def kernel_of(node, device):
    """The kernel that a node has on a kind of device, or None."""
    if node.op in _CALLS_OF_PYTHON:
        return None
    # What XLA compiles has kernels of its own.
    kinds = (device,) if device.startswith("XLA") else (device, "DEFAULT")
    for kernel in _kernels(node.op):
        if kernel.device_type not in kinds:
            continue
        constraints = [each for each in kernel.constraint if each.allowed_values.list.type]
        if all(
            set(_types(node.attr[each.name])) <= set(each.allowed_values.list.type)
            for each in constraints
        ):
            return kernel
    return None


def _types(attribute):
    return attribute.list.type or [attribute.type]


def without_kernel(graph, device="GPU"):
    """The operations of a GraphDef that a kind of device has no kernel for.

    Returns:
      Counter of names such as "Sort of float16".
    """
    return collections.Counter(
        _name(node) for node in operations(graph) if kernel_of(node, device) is None
    )


def raising_under_determinism(graph):
    """The operations of a GraphDef that a GPU refuses where determinism is asked for."""
    return collections.Counter(
        node.op for node in operations(graph) if _raises_under_determinism(node)
    )


def _raises_under_determinism(node):
    if node.op.startswith("FusedBatchNormGrad"):
        return not node.attr["is_training"].b
    return node.op in RAISE_UNDER_DETERMINISM


def _name(node):
    types = {
        tf.dtypes.as_dtype(node.attr[name].type).name
        for name in ("T", "dtype")
        if node.attr[name].type
    }
    return f"{node.op} of {', '.join(sorted(types))}" if types else node.op


def copies(graph):
    """What is copied between the host and the GPU where each operation of a GraphDef runs once.

    Returns:
      Counter of (way, operation that makes it, operation that takes it).
    """
    found = collections.Counter()
    for nodes, arguments in bodies(graph):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            expected = _memories(node, "input")
            values = [name for name in node.input if not name.startswith("^")]
            for name, takes_from_host in zip(values, expected, strict=True):
                producer, from_host = _producer(name, by_name, arguments)
                if from_host is not None and from_host != takes_from_host:
                    way = "to the GPU" if from_host else "to the host"
                    found[way, producer, node.op] += 1
    return found


def _producer(name, by_name, arguments):
    """The operation that makes an input, and whether it makes it in the host's memory."""
    source, _, place = name.partition(":")
    if source in arguments:
        return "argument", arguments[source] in _HOST_TYPES
    node = by_name[source]
    argument, _, index = place.rpartition(":")
    if argument:  # In functions "node:argument:index", else "node:index".
        start = 0
        for each in _definition(node).output_arg:
            if each.name == argument:
                break
            start += len(_types_of(node, each))
        index = start + int(index)
    memories = _memories(node, "output")
    if node.op == "Const":
        return node.op, None  # Made where it is wanted.
    return node.op, memories[int(index or 0)]


def _is_on_host(node):
    """Whether the code asks for the host."""
    return node.device.endswith(HOST)


def _definition(node):
    return op_def_registry.get(node.op)


def _types_of(node, argument):
    """The types of the tensors of one argument of an operation."""
    if argument.type_list_attr:
        return list(node.attr[argument.type_list_attr].list.type)
    number = node.attr[argument.number_attr].i if argument.number_attr else 1
    return [argument.type or node.attr[argument.type_attr].type] * number


def _memories(node, side):
    """Of each input or output of a node whether it is in the host's memory."""
    definition = _definition(node)
    arguments = definition.input_arg if side == "input" else definition.output_arg
    kernel = kernel_of(node, "GPU")
    on_host = []
    for argument in arguments:
        for type_ in _types_of(node, argument):
            if kernel is None or _is_on_host(node):
                on_host.append(True)
            else:
                of_default = kernel.device_type == "DEFAULT" and type_ in _HOST_TYPES
                on_host.append(of_default or argument.name in kernel.host_memory_arg)
    return on_host
