import io

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from conftest import assert_user_error, run_program, striped_picture

import keras_resnet
from keras_resnet import export
from keras_resnet.datasets import load
from keras_resnet.preprocessing import Preprocessing

SPEC = Preprocessing(size=24, resize=27, mean=(120.0, 121.0, 122.0), deviation=(50.0, 60.0, 70.0))


def network(**options):
    keras.utils.set_random_seed(0)
    settings = {"preprocessing": SPEC, "class_names": tuple("abcdefg"), **options}
    model = keras_resnet.CifarResNet(8, input_shape=(24, 24, 3), classes=7, **settings)
    model.get_layer("fc").kernel.assign(10 * model.get_layer("fc").kernel.numpy())
    return model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = network()
    path = export.export(model, tmp_path_factory.mktemp("exports"))
    return model, path, tf.saved_model.load(path).signatures["serving_default"]


def picture_bytes(rng, size, kind, mode="RGB"):
    picture = striped_picture(rng, 0, size[1], size[0]).convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def test_served_probabilities_are_the_evaluations(exported, rng):
    model, _, serve = exported
    pictures = [
        picture_bytes(rng, (31, 45), "JPEG"),
        picture_bytes(rng, (24, 24), "PNG"),
        picture_bytes(rng, (100, 27), "JPEG", "L"),
        picture_bytes(rng, (60, 61), "JPEG", "CMYK"),
        picture_bytes(rng, (9, 13), "PNG", "RGBA"),
    ]
    answer = serve(image_bytes=tf.constant(pictures))
    inputs = np.stack([SPEC(tf.constant(data)) for data in pictures])
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    ranks = (-expected).argsort(axis=1)[:, :5]
    np.testing.assert_array_equal(answer["classes"], ranks)
    names = np.array(model.class_names)[ranks]
    assert [[name.decode() for name in row] for row in answer["labels"].numpy()] == names.tolist()


def test_one_picture_at_a_time_gives_the_same(exported, rng):
    _, _, serve = exported
    pictures = [picture_bytes(rng, (31, 45), "JPEG"), picture_bytes(rng, (24, 24), "PNG")]
    together = serve(image_bytes=tf.constant(pictures))["probabilities"]
    for picture, row in zip(pictures, together, strict=True):
        alone = serve(image_bytes=tf.constant([picture]))["probabilities"][0]
        np.testing.assert_allclose(alone, row, atol=1e-6)


def test_the_bundle_is_what_tf_serving_expects(exported):
    _, path, serve = exported
    assert path.name == "1"
    assert (path / "assets" / "labels.txt").read_text() == "a\nb\nc\nd\ne\nf\ng\n"
    (name,) = serve.structured_input_signature[1]
    assert name == "image_bytes"
    assert set(serve.structured_outputs) == {"probabilities", "classes", "labels"}
    assert [p.name for p in path.parent.iterdir()] == ["1"]


def test_the_next_export_is_the_next_version(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "kept").write_text("x")
    (tmp_path / "notes").write_text("x")
    assert export.export(network(), tmp_path).name == "8"
    assert (tmp_path / "7" / "kept").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8", "notes"]


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no `preprocessing`"):
        export.export(network(preprocessing=None), tmp_path / "exports")
    with pytest.raises(ValueError, match="no classifier"):
        headless = keras_resnet.CifarResNet(8, include_top=False, preprocessing=SPEC)
        export.export(headless, tmp_path / "exports")
    assert list(tmp_path.iterdir()) == []


def test_two_classes_without_names(tmp_path, rng):
    model = keras_resnet.CifarResNet(8, input_shape=(24, 24, 3), classes=2, preprocessing=SPEC)
    path = export.export(model, tmp_path)
    answer = tf.saved_model.load(path).signatures["serving_default"](
        image_bytes=tf.constant([picture_bytes(rng, (31, 45), "JPEG")])
    )
    assert sorted(answer["labels"].numpy()[0].tolist()) == [b"0", b"1"]


def test_a_bfloat16_network_serves_float32(tmp_path, rng):
    path = export.export(network(dtype="mixed_bfloat16"), tmp_path)
    answer = tf.saved_model.load(path).signatures["serving_default"](
        image_bytes=tf.constant([picture_bytes(rng, (31, 45), "JPEG")])
    )
    assert answer["probabilities"].dtype == tf.float32
    np.testing.assert_allclose(np.sum(answer["probabilities"]), 1, rtol=1e-5)


def test_the_newest_version_is_found(tmp_path):
    for version in ("2", "10", "11"):
        (tmp_path / version).mkdir()
    for version in ("2", "10"):
        (tmp_path / version / "saved_model.pb").write_text("x")
    assert export.newest_version(tmp_path) == tmp_path / "10"
    assert export.newest_version(tmp_path / "2") == tmp_path / "2"
    with pytest.raises(ValueError, match="No SavedModel in"):
        export.newest_version(tmp_path / "11")


def test_from_a_model_file_to_a_prediction(tmp_path, picture_folder):
    network().save(tmp_path / "model.keras")
    process = run_program("export", tmp_path / "model.keras", f"--output={tmp_path / 'exports'}")
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"Exported: {tmp_path / 'exports' / '1'}\n"
    picture = load(f"folder:{picture_folder}", "train").paths[0]
    process = run_program("predict", tmp_path / "exports", picture)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == picture
    probabilities = network()(SPEC(tf.io.read_file(picture))[tf.newaxis]).numpy()[0]
    best = probabilities.argmax()
    assert lines[1] == f"  {100 * probabilities[best]:6.2f}%  {'abcdefg'[best]}"
    assert len(lines) == 6


def test_mistakes_are_explained(tmp_path, exported):
    _, path, _ = exported
    assert_user_error(run_program("export", tmp_path), "--output=DIR must say")
    assert_user_error(run_program("predict", tmp_path, "x.jpg"), "No SavedModel in")
    assert_user_error(run_program("predict", path, tmp_path / "x.jpg"), "No such file", "x.jpg")
    with PIL.Image.new("RGB", (8, 8)) as picture:
        picture.save(tmp_path / "y.bmp")
    assert_user_error(run_program("predict", path, tmp_path / "y.bmp"), "y.bmp is not an undamaged")
