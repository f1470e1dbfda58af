import os
import shutil
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

from keras_resnet import files
from keras_resnet.serving.canonical import make_canonical
from keras_resnet.serving.export import export

MAKERS = {each.__name__: each for each in (network, detector, segmenter, localizer)}

IN_A_PROCESS = """
    import sys
    sys.path.insert(0, "tests")
    import {module}
    from keras_resnet.serving.export import export
    export({module}.{name}(), sys.argv[1])
"""


def without_card(version):
    found = files.digests(version)
    del found["README.md"]
    return found


def test_a_canonical_model_stays_as_it_is_and_answers_as_before(exported, tmp_path, rng, serve):
    _, version = exported
    again = shutil.copytree(version, tmp_path / "1")
    make_canonical(again)
    assert files.digests(again) == files.digests(version)
    pictures = tf.constant([encoded(rng, 31, 45), b"no picture"])
    # Its own graph, before it was written.
    expected = serve["serving_default"](image_bytes=pictures)
    found = tf.saved_model.load(str(again)).signatures["serving_default"](image_bytes=pictures)
    np.testing.assert_array_equal(found["probabilities"], expected["probabilities"])


def test_an_export_after_other_work_has_the_same_bytes(exported, tmp_path):
    """TensorFlow and Keras number what they make; this process has made much since."""
    _, version = exported
    model = network()
    model.predict(np.zeros((1, 24, 24, 3)), verbose=0)
    assert without_card(export(model, tmp_path / "letters")) == without_card(version)


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
