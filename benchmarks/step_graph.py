"""What TensorFlow starts, sends and copies for one training step of ResNet-50, read from its graph.

The devices are logical processors in place of GPUs, and another one is the host; the graph is the
same. Nothing is computed.
"""

import collections
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from on_gpu.networks import training_steps

import keras_resnet

HOST, DEVICES = "CPU:0", ("CPU:1", "CPU:2")
IMAGES = 4  # Of each device; the graph is the same for any number.


def step_nodes(devices, compiled):
    """The nodes of a step: of the body of the loop over steps."""
    take_steps, batches = training_steps(
        lambda: keras_resnet.ResNet50(dtype="mixed_bfloat16"), devices, 224, IMAGES, compiled
    )
    traced = take_steps.get_concrete_function(batches, tf.TensorSpec([], tf.int32))
    graph = traced.graph.as_graph_def()
    (loop,) = [node for node in graph.node if node.op == "While"]
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    return bodies[loop.attr["body"].func.name]


def copies(nodes):
    """Number of values that go between the host and a device."""
    places = {node.name: node.device[-5:] for node in nodes if node.op != "Const"}
    ends = [
        (places.get(name.partition(":")[0]), places[node.name])
        for node in nodes
        if node.name in places
        for name in node.input
    ]
    return sum(HOST in pair and pair[0] != pair[1] and all(pair) for pair in ends)


def main():
    """Prints the numbers for one and two devices, without XLA and with it."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * (1 + len(DEVICES))
    tf.config.set_logical_device_configuration(cpu, logical)
    for number in (1, 2):
        for compiled in (False, True):
            nodes = step_nodes(DEVICES[:number], compiled)
            kinds = collections.Counter(node.op for node in nodes)
            started = sum(kinds.values()) - kinds["Const"] - kinds["Identity"] - kinds["NoOp"]
            print(
                f"{number} devices, {'with' if compiled else 'without'} XLA: {started} operations, "
                f"{kinds['StatefulPartitionedCall']} of them compiled; "
                f"{kinds['CollectiveReduceV2'] // number} messages of each device, "
                f"{copies(nodes)} copies between devices and host"
            )


if __name__ == "__main__":
    main()
