import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from detectors import detector
from letters import network
from localizers import localizer
from pictures import encoded
from processes import ROOT
from segmenters import segmenter
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from keras_resnet import files
from keras_resnet.serving import export as export_lib
from keras_resnet.serving.canonical import make_canonical
from keras_resnet.serving.export import export
from keras_resnet.serving.options import TOP, Limits
from keras_resnet.serving.servable import servable

MAKERS = {each.__name__: each for each in (network, detector, segmenter, localizer)}

IN_A_PROCESS = """
    import sys
    sys.path.insert(0, "tests")
    import {module}
    from keras_resnet.serving import export as export_lib
from keras_resnet.serving.export import export
from keras_resnet.serving.options import TOP, Limits
from keras_resnet.serving.servable import servable
    export({module}.{name}(), sys.argv[1])
"""


def without_card(version):
    found = files.digests(version)
    del found["README.md"]
    return found


def test_after_other_work_the_bytes_are_the_same_and_so_are_the_answers(
    exported, tmp_path, rng, monkeypatch
):
    """TensorFlow and Keras number what they make; this process has made much since."""
    model, version = exported
    model.predict(np.zeros((1, 24, 24, 3)), verbose=0)
    monkeypatch.setattr(export_lib, "make_canonical", lambda _: None)
    export_lib._write_saved_model(tmp_path, servable(network(), TOP, Limits()))
    pictures = tf.constant([encoded(rng, 31, 45), b"no picture", encoded(rng, 24, 24, "PNG")])
    expected = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](pictures)
    assert not files.digests(tmp_path).items() <= files.digests(version).items()
    for _ in range(2):
        make_canonical(tmp_path)
        assert files.digests(tmp_path).items() <= files.digests(version).items()
    found = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](pictures)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_nothing_in_it_is_of_the_machine(exported):
    """How many processors and graphics cards it has; a server has its own."""
    _, version = exported
    content = (version / "saved_model.pb").read_bytes()
    (graph,) = [each.graph_def for each in SavedModel.FromString(content).meta_graphs]
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    calls = [node.attr["config_proto"].s for node in nodes if "config_proto" in node.attr]
    assert calls
    for config in map(ConfigProto.FromString, calls):
        assert not config.device_count and not config.HasField("gpu_options")
        assert config.intra_op_parallelism_threads == config.inter_op_parallelism_threads == 0


@pytest.mark.faults
@pytest.mark.parametrize("name", MAKERS)
def test_processes_write_the_same_bytes(tmp_path, name):
    """This one, which has made other networks before, and two with other orders of hashing."""
    here = export(MAKERS[name](), tmp_path / "here" / "model")
    module = MAKERS[name].__module__
    script = "\n".join(
        line.strip() for line in IN_A_PROCESS.format(module=module, name=name).splitlines()
    )
    for seed in ("1", "2"):
        directory = tmp_path / seed / "model"
        command = [sys.executable, "-c", script, str(directory)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300)
        assert without_card(directory / "1") == without_card(here)
