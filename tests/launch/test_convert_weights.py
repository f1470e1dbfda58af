import re

import h5py
import keras
import numpy as np
import surroundings
from keras.src.legacy.saving import legacy_h5_format
from letters import with_statistics
from pictures import encoded
from processes import assert_user_error, run_command, run_program

import keras_resnet
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.runs.run_directory import load_network
from keras_resnet.weights import keras_files
from keras_resnet.weights.local import WeightFile, write_safetensors
from keras_resnet.weights.packaged import packaged_file
from keras_resnet.weights.sets import SETS


def test_weights_of_keras_applications_become_a_network(tmp_path, rng):
    peer = with_statistics(keras.applications.ResNet50(weights=None))
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        # As keras.applications publishes them.
        legacy_h5_format.save_weights_to_hdf5_group(file, peer)
    (tmp_path / "a.jpg").write_bytes(encoded(rng, 250, 301))
    with surroundings.with_blank_kernels():
        process = run_program(
            "convert_weights",
            tmp_path / "theirs.h5",
            tmp_path / "ours.keras",
            "--like=keras",
            f"--images={tmp_path / 'a.jpg'}",
        )
        assert process.returncode == 0, process.stderr
        ours = load_network(tmp_path / "ours.keras")
    assert f"{tmp_path / 'ours.keras'}: resnet50, 25,610,152 weights" in process.stdout
    report = r"difference from the logits of keras.applications: (\S+) of (\S+), 1 picture"
    difference, largest = map(float, re.search(report, process.stdout).groups())
    assert difference < 1e-4 * largest
    assert ours.preprocessing == SETS["keras"][50].preprocessing
    assert ours.class_names == imagenet_synsets()
    kernel = peer.get_layer("predictions").kernel
    np.testing.assert_array_equal(ours.get_layer("fc").kernel, kernel)
    # What runs on this network's answers is called by words.
    inputs = ours.preprocessing([(tmp_path / "a.jpg").read_bytes()])
    answers = ours(inputs)
    decoded = keras_resnet.decode_predictions(answers, class_names=ours.class_names)
    assert decoded[0][0][0].startswith("n0") or decoded[0][0][0].startswith("n1")
    # Its logits are those that were reported, of the peer but for the classifier's softmax.
    images = inputs.numpy()[..., ::-1]
    np.testing.assert_allclose(peer(images, training=False), answers, atol=1e-4)


def test_a_run_becomes_a_file_of_torchvisions_names(tmp_path):
    """On the command line, as a user does."""
    model = with_statistics(keras_resnet.CifarResNet(8))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    model.save(tmp_path / "run" / "model.keras")
    dest = tmp_path / "x.safetensors"
    process = run_command("convert_weights", tmp_path / "run", dest)
    assert process.returncode == 0, process.stderr
    assert f"{tmp_path / 'run' / 'model.keras'} -> {dest}: cifar_resnet8, " in process.stdout
    again = keras_resnet.CifarResNet(8, weights=dest)
    for ours, theirs in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_of_the_package_become_a_network(tmp_path):
    dest = tmp_path / "fashion.keras"
    process = run_program("convert_weights", "fashion_mnist", dest, "--depth=20")
    assert process.returncode == 0, process.stderr
    assert f"{dest}: cifar_resnet20, 270,810 weights" in process.stdout
    config, source = keras_files.read_config(dest), WeightFile(packaged_file("fashion_mnist", 20))
    assert config == source.config
    for name, value in keras_files.read_weights(dest).items():
        np.testing.assert_array_equal(value, source.weights[name])


def test_mistakes_are_explained(tmp_path):
    ours, dest = tmp_path / "ours.safetensors", tmp_path / "x.keras"
    unknown = keras_resnet.CifarResNet(8)
    unknown.preprocessing = None
    write_safetensors(unknown, ours)
    (tmp_path / "there.keras").touch()
    for arguments, message in (
        (["imagenet", dest], "give --depth"),
        (["fashion_mnist", dest, "--depth=50"], "has weights for CifarResNet with 20 layers"),
        (["imagenet", dest, "--depth=18", "--like=keras"], "give --depth, and not --like"),
        (["imagenet", dest, "--depth=20"], "of Table 1 with 18, 34, 50, 101, 152 layers"),
        ([ours, dest, "--depth=18"], "--depth is for weights with a name"),
        ([ours, dest, "--like=keras"], "says itself what --like would say"),
        ([ours, dest, "--bottleneck_stride=2x2"], "`bottleneck_stride` must be one of"),
        ([ours, dest, "--images=a.jpg"], "--images needs a network with a preprocessing"),
        ([ours, tmp_path / "x.txt"], "DEST must end in"),
        ([ours, tmp_path / "there.keras"], "exists, and is left as it is"),
        ([ours], "Expected SOURCE DEST"),
    ):
        assert_user_error(run_program("convert_weights", *arguments), message)
    assert not dest.exists()


def test_of_our_weights_there_is_no_other_framework(tmp_path, rng):
    model = keras_resnet.CifarResNet(8, preprocessing=SETS["keras"][50].preprocessing)
    model.save(tmp_path / "ours.keras")
    (tmp_path / "a.png").write_bytes(encoded(rng, 20, 30, "PNG"))
    (tmp_path / "b.png").write_bytes(b"junk")
    arguments = (tmp_path / "ours.keras", tmp_path / "x.weights.h5")
    process = run_program("convert_weights", *arguments, f"--images={tmp_path / 'b.png'}")
    assert_user_error(process, "b.png' does not decode: it is no picture")
    assert not arguments[1].exists()
    process = run_program("convert_weights", *arguments, f"--images={tmp_path / 'a.png'}")
    assert process.returncode == 0, process.stderr
    assert "The weights are ours: there is no other framework" in process.stdout
