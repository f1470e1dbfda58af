import importlib.util
import json
import os
import subprocess
import sys

import pytest
from processes import ROOT

from keras_resnet.process import onednn, processor

ZEN_3 = {"avx", "avx2"}
ALDER_LAKE = {"avx", "avx2", "avx_vnni"}
ICE_LAKE = {"avx", "avx2", "avx512f", "avx512_vnni"}

# The switch as the programs take it, and what TensorFlow makes of it: the kernels that it
# puts into the graph of a convolution.
PROBE = """
import json, sys
sys.path.insert(0, "launch")
from command_line.start import onednn
assert "tensorflow" not in sys.modules
onednn.turn_on()
import tensorflow as tf

with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    image = tf.compat.v1.placeholder(tf.float32, [2, 8, 8, 4])
    convolution = tf.nn.conv2d(image, tf.ones([3, 3, 4, 4]), 1, "SAME")
    options = tf.compat.v1.RunOptions(output_partition_graphs=True)
    about = tf.compat.v1.RunMetadata()
    session.run(convolution, {image: [[[[1.0] * 4] * 8] * 8] * 2}, options, about)
kernels = [node.op for graph in about.partition_graphs for node in graph.node]
print(json.dumps([onednn.is_on(), any(name.startswith("_Mkl") for name in kernels)]))
"""


@pytest.mark.parametrize("setting", [None, "0"])
def test_tensorflow_computes_with_onednn_unless_the_user_says_no(setting):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(onednn.VARIABLE)
    if setting is not None:
        environment[onednn.VARIABLE] = setting
    process = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    expected = setting is None and "avx2" in processor.cpu_flags()
    assert json.loads(process.stdout) == [expected, expected]


def fresh(monkeypatch, flags, setting, imported=False):
    """The module as it is in a new process on a processor, with a setting of the user's."""
    monkeypatch.setattr(processor, "cpu_flags", lambda: flags)
    if setting is None:
        monkeypatch.delenv(onednn.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(onednn.VARIABLE, setting)
    if not imported:
        monkeypatch.delitem(sys.modules, "tensorflow")
    spec = importlib.util.spec_from_file_location("fresh_onednn", onednn.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("flags", "setting", "before", "after"),
    [
        (ZEN_3, None, False, True),
        (ZEN_3, "0", False, False),
        (ZEN_3, "False", False, False),
        (ZEN_3, "true", True, True),
        # TensorFlow reads four values, and takes its default for others.
        (ZEN_3, "yes", False, False),
        (ALDER_LAKE, None, True, True),
        (ICE_LAKE, None, True, True),
        (ICE_LAKE, "0", False, False),
        # Not measured: left as it is.
        ({"avx"}, None, False, False),
        (set(), None, False, False),
    ],
)
def test_it_is_turned_on_where_tensorflow_leaves_it_off(monkeypatch, flags, setting, before, after):
    module = fresh(monkeypatch, flags, setting)
    assert module.is_on() == before
    module.turn_on()
    assert module.is_on() == after
    changed = "1" if after and not before else setting
    assert os.environ.get(module.VARIABLE) == changed


def test_what_is_set_after_tensorflow_was_imported_counts_for_nothing(monkeypatch):
    module = fresh(monkeypatch, ZEN_3, None, imported=True)
    module.turn_on()
    assert not module.is_on()
    assert module.is_left_off()
    monkeypatch.setenv(module.VARIABLE, "1")
    assert not module.is_on()
    # The user has seen the note.
    assert not module.is_left_off()


@pytest.mark.parametrize(
    ("flags", "setting", "expected"),
    [
        (ZEN_3, None, False),
        (ZEN_3, "1", True),
        (ALDER_LAKE, None, True),
        (ALDER_LAKE, "0", False),
        (ICE_LAKE, None, False),
        (ICE_LAKE, "1", False),
    ],
)
def test_one_picture_is_slow_with_onednn_and_without_avx512(monkeypatch, flags, setting, expected):
    assert fresh(monkeypatch, flags, setting).is_slow_for_one() == expected
