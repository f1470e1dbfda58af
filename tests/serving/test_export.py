import contextlib
import dataclasses
import errno
import fcntl
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
import time

import letters
import numpy as np
import pytest
import tensorflow as tf
from detectors import detector
from google.protobuf import text_format
from letters import evaluated, network
from localizers import localizer
from pictures import encoded
from processes import (
    LAUNCH,
    ROOT,
    Process,
    run_command,
    run_process,
    run_program,
)
from segmenters import segmenter
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow_serving.config import model_server_config_pb2

import keras_resnet
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.locks import lock
from keras_resnet.runs.run_directory import load_network
from keras_resnet.serving import export as export_lib
from keras_resnet.serving import warm_up
from keras_resnet.serving.export import export, newest_version
from keras_resnet.serving.folding import fold_batch_norm
from keras_resnet.serving.options import Limits


@pytest.fixture(scope="module")
def letters_model():
    return network()


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
        "monitoring.config",
        "compose.yaml",
        "kubernetes.yaml",
        "kubernetes-gpu.yaml",
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


def test_the_card_has_the_sums_that_sha256sum_checks(exported, tmp_path):
    _, version = exported
    check = ["sha256sum", "--check", "README.md"]
    process = subprocess.run(check, cwd=version, capture_output=True, text=True, timeout=60)
    paths = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert process.returncode == 0, process.stderr
    assert set(process.stdout.splitlines()) == {f"{path}: OK" for path in paths - {"README.md"}}
    changed_version = shutil.copytree(version, tmp_path / "1")
    with open(changed_version / "variables" / "variables.data-00000-of-00001", "r+b") as file:
        file.write(b"x")
    assert subprocess.run(check, cwd=changed_version, capture_output=True).returncode == 1


# What an export has besides its variables: the graph. Of ResNet-18 that is 0.7 MB of 47.5.
GRAPH_BYTES = 1_000_000


@pytest.mark.parametrize(
    "make",
    [network, detector, segmenter, localizer, lambda: network(stacked=True)],
    ids=["classifier", "detector", "segmenter", "localizer", "stacked"],
)
@pytest.mark.faults
def test_a_variable_is_on_the_disk_once(tmp_path, make):
    model = make()
    version = export(model, tmp_path / "exports")
    files = [*version.glob("variables/*"), version / "saved_model.pb"]
    weights = sum(weight.nbytes for weight in model.get_weights())
    assert sum(path.stat().st_size for path in files) <= 1.05 * weights + GRAPH_BYTES
    saved = tf.train.list_variables(str(version / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in saved if name.startswith("weights/"))
    assert shapes == sorted(weight.shape for weight in model.get_weights())
    assert len(saved) == len(shapes) + 1  # That of the objects.


# --- The directory of versions


@contextlib.contextmanager
def changed(module, **values):
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
        yield


@dataclasses.dataclass
class Crowded:
    """An export into a directory where much was before, and what happened meanwhile."""

    directory: pathlib.Path
    after_kill: list
    version: pathlib.Path
    model: keras_resnet.ResNet
    others_can_lock: bool
    written: list


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(scope="module")
def crowded(run, tmp_path_factory):
    root = tmp_path_factory.mktemp("crowded")
    directory = root / "versions"
    outputs = {"stdout": root / "stdout", "stderr": root / "stderr"}
    process = Process(LAUNCH / "export.py", [run, f"--output={directory}"], **outputs)
    while not list(directory.glob(".unfinished-*/saved_model.pb")):
        assert process.poll() is None, outputs["stderr"].read_text()
        time.sleep(0.005)
    process.kill()
    process.wait()
    after_kill = names_in(directory)
    for name in ("7", ".unfinished-others"):
        (directory / name).mkdir()
        (directory / name / "kept").write_text("x")
    (directory / "notes").write_text("x")
    (directory / "batching.config").write_text("mine")
    others_can_lock = []
    model = network(stacked=True, class_names=None)

    def replay(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            others_can_lock.append(True)
        except BlockingIOError:
            others_can_lock.append(False)
        finally:
            os.close(descriptor)
        return {}

    with (
        lock(directory / ".unfinished-others"),
        changed(warm_up, replay=replay),
        recorded_writes() as written,
        nobody_elses_files(),
    ):
        version = export(model, directory, top=100, limits=Limits(10**4))
    assert len(others_can_lock) == 1
    return Crowded(directory, after_kill, version, model, others_can_lock[0], written)


@contextlib.contextmanager
def nobody_elses_files():
    """What is made is for its owner alone."""
    earlier = os.umask(0o077)
    yield
    os.umask(earlier)


@contextlib.contextmanager
def recorded_writes():
    """What is made durable ("fsync", path) and renamed ("rename", path, new path), in order."""
    found, fsync, rename = [], os.fsync, os.rename

    def recorded_fsync(descriptor):
        found.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def recorded_rename(path, new_path):
        found.append(("rename", str(path), str(new_path)))
        rename(path, new_path)

    with changed(os, fsync=recorded_fsync, rename=recorded_rename):
        yield found


def test_a_killed_export_is_no_version(crowded):
    (name,) = crowded.after_kill
    assert name.startswith(".unfinished-")


def test_the_next_export_is_the_next_version_and_nothing_is_touched(crowded):
    directory = crowded.directory
    assert crowded.version == directory / "8"
    assert (directory / "7" / "kept").read_text() == "x"
    assert (directory / "batching.config").read_text() == "mine"
    assert {"7", "8", "batching.config", "models.config", "notes"} < set(names_in(directory))


def test_leftovers_of_kills_are_removed_and_the_work_of_others_is_not(crowded):
    left = [name for name in names_in(crowded.directory) if name.startswith(".")]
    assert left == [".unfinished-others"]
    assert (crowded.directory / ".unfinished-others" / "kept").read_text() == "x"


def test_a_server_of_another_user_can_read_all(crowded):
    made = [crowded.version, *crowded.version.rglob("*"), crowded.directory / "compose.yaml"]
    for path in made:
        expected = 0o755 if path.is_dir() else 0o644
        assert oct(path.stat().st_mode & 0o777) == oct(expected), path


def test_an_export_at_work_holds_its_lock(crowded):
    assert not crowded.others_can_lock


def test_nobody_takes_an_export_at_work_for_a_leftover(tmp_path):
    with export_lib._unfinished_directory(tmp_path) as ours:
        (ours / "x").write_text("x")
        with export_lib._unfinished_directory(tmp_path) as theirs:
            assert ours != theirs
            assert (ours / "x").read_text() == "x"
    assert names_in(tmp_path) == []


def test_without_locks_nothing_is_taken_for_a_leftover(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    (tmp_path / ".unfinished-a").mkdir()
    with export_lib._unfinished_directory(tmp_path) as ours:
        assert ours.is_dir()
    assert names_in(tmp_path) == [".unfinished-a"]


def test_a_version_survives_a_power_cut(crowded):
    """All that is in it is on the disk before it has its name, and then the name is."""
    places = {event: place for place, event in enumerate(crowded.written)}
    ((renamed, unfinished),) = (
        (place, event[1])
        for place, event in enumerate(crowded.written)
        if event[0] == "rename" and event[2] == str(crowded.version)
    )
    contents = [path.relative_to(crowded.version) for path in crowded.version.rglob("*")]
    assert pathlib.Path("variables/variables.index") in contents
    for path in contents:
        flushed = places["fsync", str(unfinished / path)]
        assert flushed < places["fsync", str((unfinished / path).parent)] < renamed, path
    assert renamed < places["fsync", str(crowded.directory)]


def test_a_chosen_number_of_classes_and_limits(crowded, rng):
    loaded = tf.saved_model.load(str(crowded.version))
    answer = loaded.signatures["serving_default"](
        image_bytes=tf.constant([encoded(rng, 31, 45), encoded(rng, 300, 300, "PNG")])
    )
    assert sorted(answer["labels"].numpy()[0].tolist()) == [b"%d" % number for number in range(7)]
    assert answer["status"].numpy().tolist() == [b"OK", b"too many bytes"]


def test_numbers_are_taken_in_turn_where_another_was_faster(tmp_path, monkeypatch):
    """The number that was free is taken when it is asked for."""
    for name in ("1", ".unfinished-a"):
        (tmp_path / name).mkdir()
    numbers = iter([1, 1, 2])
    monkeypatch.setattr(export_lib, "_next_version", lambda _: next(numbers))
    assert export_lib._publish(tmp_path / ".unfinished-a", tmp_path, None) == tmp_path / "2"
    (tmp_path / ".unfinished-b").mkdir()
    with pytest.raises(ValueError, match="`version` must be new"):
        export_lib._publish(tmp_path / ".unfinished-b", tmp_path, 2)
    assert names_in(tmp_path) == [".unfinished-b", "1", "2"]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_a_version_that_exists_is_refused(tmp_path, letters_model, make):
    make(tmp_path / "3")
    with pytest.raises(ValueError, match=r"`version` must be new.*which exists"):
        export(letters_model, tmp_path, version=3)
    assert names_in(tmp_path) == ["3"]


@pytest.mark.parametrize("version", [-1, 2**63])
def test_a_version_is_a_number_of_tf_serving(tmp_path, letters_model, version):
    with pytest.raises(ValueError, match=f"`version` must be .*version={version}"):
        export(letters_model, tmp_path / "exports", version=version)
    assert names_in(tmp_path) == []


def test_the_scope_of_a_strategy_is_no_place_to_export_in(tmp_path, letters_model):
    with (
        tf.distribute.OneDeviceStrategy("cpu:0").scope(),
        pytest.raises(ValueError, match="must be called outside of the scope of a strategy"),
    ):
        export(letters_model, tmp_path / "exports")
    assert names_in(tmp_path) == []


def test_a_file_cannot_be_a_directory_of_versions(tmp_path, letters_model):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="`output_dir` must be a directory"):
        export(letters_model, tmp_path / "file")


def test_the_root_has_no_name_for_a_model(letters_model):
    with pytest.raises(ValueError, match="name of `output_dir` is the model's, and must not be"):
        export(letters_model, "/")


@pytest.mark.parametrize("name", ["a[1]", "b*", "c?", "d\\e", 'f"', "g\n", "h\udcff"])
def test_names_that_others_would_misread_are_refused(tmp_path, letters_model, name):
    with pytest.raises(ValueError, match="`output_dir` must be UTF-8 without any of"):
        export(letters_model, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preprocessing": Preprocessing(20, 27, (0, 0, 0))}, "20x20x3 for a network of"),
        ({"preprocessing": Preprocessing(24, 27, (0,), channels=1)}, "24x24x1 for a network of"),
        ({"class_names": (5, *"bcdefg")}, "`class_names` must be strings"),
    ],
)
def test_networks_that_cannot_be_served_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export(network(**options), tmp_path / "exports")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", ["100k", "700k"])
def test_a_full_disk_is_said_and_leaves_nothing(letters_model, tmp_path, size):
    letters_model.save(tmp_path / "model.keras")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = [LAUNCH / "export.py", tmp_path / "model.keras", f"--output={disk / 'mine'}"]
    script = ROOT / "tests" / "small_disk.py"
    process = run_process(tmp_path, script, disk, size, disk / "mine", *program)
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr + process.stdout
    assert "cannot be written" in process.stderr or "No space left" in process.stderr
    *_, listing = process.stdout.splitlines()
    assert not re.search(r"'\d+'", listing), listing
    assert list(disk.iterdir()) == []


def test_a_failed_export_leaves_nothing(tmp_path):
    unknown = network()
    unknown.preprocessing = None
    with pytest.raises(ValueError, match="no `preprocessing`"):
        export(unknown, tmp_path / "exports")
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


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    # What TensorFlow computes in one operation is rounded once only.
    [("stacked", 1e-5), ("float32", 1e-5), ("bfloat16", 5e-3)],
)
def test_any_network_serves_float32(request, rng, kind, tolerance):
    """Stacked blocks, and what --optimize makes."""
    if kind == "stacked":
        crowded = request.getfixturevalue("crowded")
        version, model = crowded.version, crowded.model
    else:
        version = request.getfixturevalue(kind)[1]
        trained = load_network(request.getfixturevalue("run"))
        model = fold_batch_norm(trained, "mixed_bfloat16" if kind == "bfloat16" else None)
    pictures = [encoded(rng, 31, 45), encoded(rng, 24, 24, "PNG")]
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(pictures))
    assert answer["probabilities"].dtype == tf.float32
    expected = evaluated(model, pictures)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=tolerance)
    answer = loaded.signatures["features"](image_bytes=tf.constant(pictures))
    assert answer["features"].dtype == tf.float32


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
    assert statuses == ["OK", "no picture", "OK"]


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
    cli = importlib.util.find_spec("tensorflow.python.tools.saved_model_cli").origin
    shown = run_process(tmp_path, cli, "show", "--dir", version, "--all")
    assert shown.returncode == 0, shown.stderr
    for name in ("serving_default", "images", "features"):
        assert f"signature_def['{name}']" in shown.stdout
    np.save(tmp_path / "pictures.npy", np.array([path.read_bytes() for path in files], "S"))
    process = run_process(
        *(tmp_path, cli, "run", "--dir", version, "--tag_set", "serve"),
        *("--signature_def", "serving_default", "--outdir", tmp_path / "answer"),
        *("--inputs", f"image_bytes={tmp_path / 'pictures.npy'}"),
    )
    assert process.returncode == 0, process.stderr
    probabilities = np.load(tmp_path / "answer" / "probabilities.npy")
    statuses = np.load(tmp_path / "answer" / "status.npy", allow_pickle=True)
    assert_expected(probabilities, [status.decode() for status in statuses], expected)


def test_it_answers_in_openvino(exported, serve, rng, monkeypatch, tmp_path):
    # It would tell its makers of each conversion.
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)
    import openvino

    model, _ = exported
    frozen = convert_variables_to_constants_v2(serve["images"]).graph
    tf.io.write_graph(frozen, str(tmp_path), "frozen.pb", as_text=False)
    # A loaded function it cannot convert under Python 3.13.
    converted = openvino.convert_model(tmp_path / "frozen.pb")
    names = sorted(serve["images"].structured_outputs)
    # OpenVINO's processors have no strings: labels and statuses stay behind.
    outputs = [converted.output(names.index(name)) for name in ("probabilities", "classes")]
    compiled = openvino.compile_model(
        openvino.Model(outputs, converted.get_parameters()),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32"},
    )
    for height, width in ((31, 45), (24, 24), (90, 40)):
        pictures = [encoded(rng, height, width, "PNG") for _ in range(2)]
        answer = compiled([np.stack([tf.io.decode_png(data) for data in pictures])])
        np.testing.assert_allclose(answer[0], evaluated(model, pictures), atol=1e-5)
        np.testing.assert_array_equal(answer[1][:, 0], answer[0].argmax(axis=1))


# --- The program


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return letters.run(tmp_path_factory.mktemp("runs") / "mine")


@pytest.fixture(scope="module")
def float32(run, tmp_path_factory):
    """The program as a user starts it, and the version that it wrote."""
    output = tmp_path_factory.mktemp("float32") / "mine"
    process = run_command(
        *("export", run, f"--output={output}", "--optimize", "--license=CC0"),
        *("--version=20", "--top=1", "--max_bytes=54321", "--max_pixels=65432"),
    )
    assert process.returncode == 0, process.stderr
    return process, output / "20"


@pytest.fixture(scope="module")
def bfloat16(run, tmp_path_factory):
    output = tmp_path_factory.mktemp("bfloat16")
    with changed(warm_up, replay=lambda _: {}):
        process = run_program("export", run, f"--output={output}", "--optimize=bfloat16")
    assert process.returncode == 0, process.stderr
    return process, output / "1"


def test_from_a_run_to_a_bundle(run, float32):
    process, version = float32
    dataset = f"folder:{run / 'pictures'}"
    of_data, *lines = process.stdout.splitlines()
    assert of_data == "validation: 10 pictures of 2 classes (horizontal 5, vertical 5)."
    assert lines[0] == f"Exported: {version}"
    assert f"computes in float32. On all 10 images of {dataset}, validation" in lines[1]
    card = (version / "README.md").read_text()
    for text in (
        "# mine\n",
        f"Top-1 12.30%, top-5 90.00%, loss 2.0000 on all 400 images of {dataset}, validation, "
        "1-crop",
        f'"dataset": "{dataset}"',
        "computes in float32",
        f"On all 10 images of {dataset}, validation",
        "CC0",
        "`classes` int32 [n, 1]",
        "`--max_bytes` is 54,321, and `--max_pixels` 65,432",
        "that after step 5.",
    ):
        assert text in card, text


def test_the_card_names_bfloat16(bfloat16):
    _, version = bfloat16
    assert "computes in bfloat16" in (version / "README.md").read_text()
