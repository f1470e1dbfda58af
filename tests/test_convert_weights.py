import re

import numpy as np
from letters import encoded, with_statistics
from processes import assert_user_error, run_program

import keras_resnet
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.runs import load_network
from keras_resnet.weights import conversion
from keras_resnet.weights.local import write_safetensors
from keras_resnet.weights.sets import SETS


def test_weights_of_keras_applications_become_a_network(tmp_path, rng):
    model = with_statistics(keras_resnet.ResNet50())
    conversion.write(model, tmp_path / "theirs.h5")
    (tmp_path / "a.jpg").write_bytes(encoded(rng, 250, 301))
    process = run_program(
        "convert_weights",
        tmp_path / "theirs.h5",
        tmp_path / "ours.keras",
        "--like=keras",
        f"--images={tmp_path / 'a.jpg'}",
    )
    assert process.returncode == 0, process.stderr
    assert f"{tmp_path / 'ours.keras'}: resnet50, 25,610,152 weights" in process.stdout
    report = r"difference from the logits of keras.applications: (\S+) of (\S+), 1 picture"
    difference, largest = map(float, re.search(report, process.stdout).groups())
    assert difference < 1e-4 * largest
    ours = load_network(tmp_path / "ours.keras")
    assert ours.preprocessing == SETS["keras"][50].preprocessing
    assert ours.class_names == imagenet_synsets()
    np.testing.assert_array_equal(ours.get_layer("fc").kernel, model.get_layer("fc").kernel)
    # What runs on this network's answers is called by words.
    decoded = keras_resnet.decode_predictions(
        ours(ours.preprocessing([(tmp_path / "a.jpg").read_bytes()])), class_names=ours.class_names
    )
    assert decoded[0][0][0].startswith("n0") or decoded[0][0][0].startswith("n1")


def test_a_run_becomes_a_file_of_torchvisions_names(tmp_path):
    model = with_statistics(keras_resnet.CifarResNet(8))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    model.save(tmp_path / "run" / "model.keras")
    dest = tmp_path / "x.safetensors"
    process = run_program("convert_weights", tmp_path / "run", dest)
    assert process.returncode == 0, process.stderr
    again = keras_resnet.CifarResNet(8, weights=dest)
    for ours, theirs in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_mistakes_are_explained(tmp_path):
    write_safetensors(keras_resnet.CifarResNet(8), tmp_path / "ours.safetensors")
    for arguments, message in (
        (["imagenet", tmp_path / "x.keras"], "give --depth"),
        ([tmp_path / "ours.safetensors", tmp_path / "x.txt"], "DEST must end in"),
    ):
        assert_user_error(run_program("convert_weights", *arguments), message)
