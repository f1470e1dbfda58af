import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import openvino
import pytest
import tensorflow as tf
from google.protobuf import text_format
from harness import on_small_disk
from letters import encoded, evaluated, network
from processes import ROOT, assert_user_error, run_program
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.config import model_server_config_pb2

import keras_resnet
from keras_resnet.config import RECIPES
from keras_resnet.files import lock
from keras_resnet.preprocessing import Preprocessing
from keras_resnet.serving import export as export_lib
from keras_resnet.serving.export import export, newest_version
from keras_resnet.serving.folding import fold_batch_norm
from keras_resnet.serving.signatures import Limits

# --- The bundle


def test_the_bundle_is_complete(exported):
    _, version = exported
    files = {
        str(path.relative_to(version.parent))
        for path in version.parent.rglob("*")
        if path.is_file()
    }
    assert files == {
        "1/saved_model.pb",
        "1/fingerprint.pb",
        "1/variables/variables.index",
        "1/variables/variables.data-00000-of-00001",
        "1/assets/labels.txt",
        "1/assets.extra/tf_serving_warmup_requests",
        "1/README.md",
        "batching.config",
        "models.config",
    }
    assert (version / "assets" / "labels.txt").read_text() == "a\nb\nc\nd\ne\nf\ng\n"


def test_signatures_have_the_names_and_types_that_are_documented(exported):
    _, version = exported
    parsed = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    found = {}
    for name, signature in parsed.meta_graphs[0].signature_def.items():
        if name.startswith("__"):
            continue
        assert signature.method_name == "tensorflow/serving/predict"
        found[name] = [
            {
                name: (
                    tf.as_dtype(info.dtype).name,
                    tuple(dim.size for dim in info.tensor_shape.dim),
                )
                for name, info in tensors.items()
            }
            for tensors in (signature.inputs, signature.outputs)
        ]
    classified = {
        "probabilities": ("float32", (-1, 7)),
        "classes": ("int32", (-1, 5)),
        "labels": ("string", (-1, 5)),
        "status": ("string", (-1,)),
    }
    assert found == {
        "serving_default": [{"image_bytes": ("string", (-1,))}, classified],
        "images": [{"images": ("uint8", (-1, -1, -1, 3))}, classified],
        "features": [
            {"image_bytes": ("string", (-1,))},
            {"features": ("float32", (-1, 64)), "status": ("string", (-1,))},
        ],
    }


def test_the_server_configuration_is_one(exported):
    _, version = exported
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((version.parent / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("letters", "/models/letters")
    batching = (version.parent / "batching.config").read_text()
    sizes = [int(line.split()[-1]) for line in batching.splitlines() if "allowed" in line]
    # TF Serving wants them in order, and the last to be the largest batch.
    assert sizes == sorted(sizes)
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in batching


def test_the_next_export_is_the_next_version_and_nothing_is_touched(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "kept").write_text("x")
    (tmp_path / "notes").write_text("x")
    (tmp_path / "batching.config").write_text("mine")
    assert export(network(), tmp_path).name == "8"
    assert (tmp_path / "7" / "kept").read_text() == "x"
    assert (tmp_path / "batching.config").read_text() == "mine"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["7", "8", "batching.config", "models.config", "notes"]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_a_version_that_exists_is_refused(tmp_path, make):
    make(tmp_path / "3")
    with pytest.raises(ValueError, match=r"`version` must be new.*which exists"):
        export(network(), tmp_path, version=3)
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_a_chosen_number_of_classes_and_version(tmp_path, rng):
    path = export(network(class_names=None), tmp_path, version=20, top=100, limits=Limits(10**4))
    assert path == tmp_path / "20"
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["serving_default"](
        image_bytes=tf.constant([encoded(rng, 31, 45), encoded(rng, 300, 300, "PNG")])
    )
    assert sorted(answer["labels"].numpy()[0].tolist()) == [b"%d" % number for number in range(7)]
    assert answer["status"].numpy().tolist() == [b"OK", b"too many bytes"]


def test_a_file_cannot_be_a_directory_of_versions(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="`output_dir` must be a directory"):
        export(network(), tmp_path / "file")


@pytest.mark.parametrize("name", ["a[1]", "b*", "c?", "d\\e", 'f"', "g\n", "h\udcff"])
def test_names_that_others_would_misread_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="`output_dir` must be UTF-8 without any of"):
        export(network(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preprocessing": Preprocessing(20, 27, (0, 0, 0))}, "20x20x3 for a network of"),
        ({"preprocessing": Preprocessing(24, 27, (0,), channels=1)}, "24x24x1 for a network of"),
        ({"class_names": ("a\nb", *"bcdefg")}, "`class_names` must be texts of one line"),
        ({"class_names": (5, *"bcdefg")}, "`class_names` must be texts of one line"),
    ],
)
def test_networks_that_cannot_be_served_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export(network(**options), tmp_path / "exports")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_kills_are_removed_and_the_work_of_others_is_not(tmp_path):
    for name in (".unfinished-a", ".unfinished-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    with lock(tmp_path / ".unfinished-b"):
        export(network(), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".unfinished-b", "1", "batching.config", "models.config"]
    assert oct((tmp_path / "1").stat().st_mode & 0o777) == "0o755"


@pytest.mark.parametrize("size", ["100k", "700k"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, size):
    network().save(tmp_path / "model.keras")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = [sys.executable, "launch/export.py", tmp_path / "model.keras"]
    script = f'"$@" --output={disk}/mine; status=$?; ls -A {disk}/mine; exit $status'
    process = on_small_disk(disk, size, ["sh", "-c", script, "sh", *program])
    output = process.stdout + process.stderr
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert "cannot be written" in output or "No space left" in output
    assert process.stdout.split() in ([], ["batching.config"], ["batching.config", "models.config"])


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no `preprocessing`"):
        export(network(preprocessing=None), tmp_path / "exports")
    headless = keras_resnet.CifarResNet(
        8, include_top=False, preprocessing=Preprocessing(32, 32, (0, 0, 0))
    )
    with pytest.raises(ValueError, match="no classifier"):
        export(headless, tmp_path / "exports")
    assert list(tmp_path.iterdir()) == []


def test_the_newest_version_is_found(tmp_path):
    for version in ("2", "10", "11"):
        (tmp_path / version).mkdir()
    for version in ("2", "10"):
        (tmp_path / version / "saved_model.pb").write_text("x")
    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(tmp_path / "2") == tmp_path / "2"
    with pytest.raises(ValueError, match="No SavedModel in"):
        newest_version(tmp_path / "11")


@pytest.mark.parametrize("kind", ["stacked", "folded", "bfloat16"])
def test_any_network_serves_float32(tmp_path, rng, kind):
    model = {
        "stacked": lambda: network(stacked=True),
        "folded": lambda: fold_batch_norm(network()),
        "bfloat16": lambda: fold_batch_norm(network(), "mixed_bfloat16"),
    }[kind]()
    path = export(model, tmp_path)
    pictures = [encoded(rng, 31, 45), encoded(rng, 24, 24, "PNG")]
    loaded = tf.saved_model.load(str(path))
    signatures = loaded.signatures
    answer = signatures["serving_default"](image_bytes=tf.constant(pictures))
    assert answer["probabilities"].dtype == tf.float32
    # What TensorFlow computes in one operation is rounded once only.
    tolerance = 5e-3 if kind == "bfloat16" else 1e-5
    expected = evaluated(model, pictures)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=tolerance)
    assert signatures["features"](image_bytes=tf.constant(pictures))["features"].dtype == tf.float32


# --- Other programs that read it


@pytest.fixture
def files(tmp_path, rng):
    pictures = [encoded(rng, 31, 45), b"no picture", encoded(rng, 24, 40, "PNG")]
    paths = [tmp_path / f"{number}" for number in range(3)]
    for path, data in zip(paths, pictures, strict=True):
        path.write_bytes(data)
    return paths


@pytest.fixture
def expected(exported, files):
    model, _ = exported
    return evaluated(model, [files[0].read_bytes(), files[2].read_bytes()])


def assert_expected(probabilities, statuses, expected):
    np.testing.assert_allclose(np.array(probabilities)[[0, 2]], expected, atol=1e-5)
    assert not np.any(probabilities[1])
    assert statuses == ["OK", "neither JPEG nor PNG", "OK"]


ALONE = """
    import json, sys
    sys.modules["keras"] = sys.modules["keras_resnet"] = None  # Importing them is an error now.
    import tensorflow as tf
    loaded = tf.saved_model.load(sys.argv[1])
    pictures = [open(path, "rb").read() for path in sys.argv[2:]]
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(pictures))
    statuses = [status.decode() for status in answer["status"].numpy()]
    print(json.dumps([answer["probabilities"].numpy().tolist(), statuses]))
"""


def test_it_answers_where_there_is_no_keras(exported, files, expected):
    command = [sys.executable, "-c", textwrap.dedent(ALONE), exported[1], *files]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert_expected(*json.loads(process.stdout), expected)


def test_it_answers_through_the_c_api_as_in_tf_serving(exported, files, expected):
    _, version = exported
    parsed = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    signature = parsed.meta_graphs[0].signature_def["serving_default"]
    library = pathlib.Path(importlib.util.find_spec("tensorflow").origin).with_name(
        "libtensorflow_cc.so.2"
    )
    operation, _, _ = signature.inputs["image_bytes"].name.partition(":")
    outputs = [signature.outputs[name].name for name in ("probabilities", "status", "labels")]
    program = ROOT / "tests" / "c_api_client.py"
    command = [program, library, version, operation, ",".join(map(str, files)), *outputs]
    process = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr
    probabilities, statuses, labels = json.loads(process.stdout)
    assert_expected(probabilities, statuses, expected)
    assert [row[0] for row in labels] == [
        "abcdefg"[expected[0].argmax()],
        "",
        "abcdefg"[expected[1].argmax()],
    ]


def test_it_answers_saved_model_cli(exported, files, expected, tmp_path):
    _, version = exported
    cli = pathlib.Path(sys.executable).with_name("saved_model_cli")
    base = [cli, "show", "--dir", version, "--all"]
    shown = subprocess.run(base, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stderr
    for name in ("serving_default", "images", "features"):
        assert f"signature_def['{name}']" in shown.stdout
    np.save(tmp_path / "pictures.npy", np.array([path.read_bytes() for path in files], "S"))
    process = subprocess.run(
        [
            *(cli, "run", "--dir", version, "--tag_set", "serve"),
            *("--signature_def", "serving_default", "--outdir", tmp_path / "answer"),
            *("--inputs", f"image_bytes={tmp_path / 'pictures.npy'}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    probabilities = np.load(tmp_path / "answer" / "probabilities.npy")
    statuses = np.load(tmp_path / "answer" / "status.npy", allow_pickle=True)
    assert_expected(probabilities, [status.decode() for status in statuses], expected)


def test_it_answers_in_openvino(exported, rng):
    model, version = exported
    loaded = tf.saved_model.load(str(version))
    converted = openvino.convert_model(loaded.signatures["images"])
    # OpenVINO's processors have no strings: labels and statuses stay behind.
    outputs = [converted.output(name) for name in ("probabilities", "classes")]
    compiled = openvino.compile_model(
        openvino.Model(outputs, converted.get_parameters()),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32"},
    )
    for height, width in ((31, 45), (24, 24), (90, 40)):
        pictures = [encoded(rng, height, width, "PNG") for _ in range(2)]
        answer = compiled([np.stack([tf.io.decode_png(data) for data in pictures])])
        np.testing.assert_allclose(answer["probabilities"], evaluated(model, pictures), atol=1e-5)
        best = answer["probabilities"].argmax(axis=1)
        np.testing.assert_array_equal(answer["classes"][:, 0], best)


# --- The program


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a training on shapes leaves, as far as an export reads it."""
    from keras_resnet import datasets

    directory = tmp_path_factory.mktemp("runs") / "mine"
    directory.mkdir()
    names = datasets.load("shapes", "validation").class_names
    network(classes=8, class_names=names).save(directory / "model.keras")
    import dataclasses

    config = dataclasses.replace(RECIPES["imagenet"]["paper"], dataset="shapes")
    (directory / "config.json").write_text(config.to_json())
    evaluation = {"step": 5, "top1": 0.123, "top5": 0.9, "loss": 2.0, "images": 400}
    (directory / "evaluation.json").write_text(json.dumps(evaluation))
    return directory


def test_from_a_run_to_a_bundle(run, tmp_path):
    process = run_program(
        "export", run, f"--output={tmp_path / 'mine'}", "--optimize=bfloat16", "--license=CC0"
    )
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == f"Exported: {tmp_path / 'mine' / '1'}"
    assert "computes in bfloat16. On all 400 images of shapes, validation" in lines[1]
    card = (tmp_path / "mine" / "1" / "README.md").read_text()
    for text in (
        "# mine\n",
        "Top-1 12.30%, top-5 90.00%, loss 2.0000 on all 400 images of shapes, validation, 1-crop",
        '"dataset": "shapes"',
        "computes in bfloat16",
        "On all 400 images of shapes, validation",
        "CC0",
    ):
        assert text in card, text


def test_without_a_value_optimize_is_float32(run, tmp_path):
    process = run_program("export", run, f"--output={tmp_path}", "--optimize")
    assert process.returncode == 0, process.stderr
    assert "computes in float32" in (tmp_path / "1" / "README.md").read_text()


def test_mistakes_are_explained(run, tmp_path):
    output = f"--output={tmp_path / 'out'}"
    for arguments, message in (
        ([run], "--output=DIR must say"),
        ([run, output, "--dataset=shapes"], "--dataset is for --optimize"),
        ([run / "model.keras", output, "--optimize"], "--dataset=NAME must say what to compare on"),
    ):
        assert_user_error(run_program("export", *arguments), message)
    assert not (tmp_path / "out").exists()
    process = run_program("export", run, output, "--optimize=int8")
    assert process.returncode == 1
    assert "must be one of float32, bfloat16" in process.stdout + process.stderr


def test_a_killed_export_is_no_version(run, tmp_path):
    output = tmp_path / "out"
    command = [sys.executable, "launch/export.py", str(run), f"--output={output}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not list(output.glob(".unfinished-*/saved_model.pb")):
        assert process.poll() is None, process.stderr.read()
    process.kill()
    process.communicate()
    assert not [path for path in output.iterdir() if path.name.isdecimal()]
    assert export(network(), output).name == "1"
    assert os.listdir(output / "1")


def test_labels_of_imagenet_are_words():
    synsets = ("n01440764", "n02123045", "n02504458", "d", "e", "f", "g")
    expected = ("tench", "tabby", "African elephant", "d", "e", "f", "g")
    assert export_lib._check(network(class_names=synsets)) == expected
