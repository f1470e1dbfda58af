import functools
import http.server
import os
import shutil
import threading

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from conftest import make_picture_folder

from keras_resnet import datasets, shapes
from keras_resnet.datasets import Source
from keras_resnet.preprocessing import Preprocessing, decode

GRAY = Preprocessing(size=6, resize=6, mean=(0.0,), deviation=(1.0,), channels=1)


def numbered_source(number):
    """Images whose pixels all hold the image's own number, which is its label too."""
    labels = np.arange(number)
    images = np.broadcast_to(labels[:, None, None, None], (number, 6, 6, 1)).astype(np.uint8)
    return Source(tf.constant(images), tf.constant(labels), tuple(map(str, labels)))


def order(num_examples, start, stop, **options):
    return [
        (int(epoch), int(index))
        for epoch, index in datasets.training_order(num_examples, 5, start, stop, **options)
    ]


def test_every_epoch_is_another_permutation():
    stream = order(50, 0, 150)
    epochs = [stream[0:50], stream[50:100], stream[100:150]]
    for number, epoch in enumerate(epochs):
        assert {e for e, _ in epoch} == {number}
        assert sorted(index for _, index in epoch) == list(range(50))
    assert len({tuple(index for _, index in epoch) for epoch in epochs}) == 3


def test_the_order_starts_anywhere():
    stream = order(50, 0, 175)
    for start, stop in ((0, 7), (49, 51), (50, 100), (123, 175), (174, 175)):
        assert order(50, start, stop) == stream[start:stop]


@pytest.mark.parametrize("num_shards", [1, 2, 4])
def test_workers_share_every_global_batch(num_shards):
    stream = order(50, 0, 16 * 9)
    shards = [
        order(50, 0, 16 * 9, shard=(worker, num_shards), batch_size=16)
        for worker in range(num_shards)
    ]
    part = 16 // num_shards
    for batch in range(9):
        together = sum((shard[batch * part : (batch + 1) * part] for shard in shards), [])
        assert together == stream[16 * batch : 16 * (batch + 1)]


def batches(source, **changes):
    arguments = {
        "seed": 3,
        "global_batch_size": 12,
        "num_replicas": 1,
        "first_step": 0,
        "last_step": 8,
        **changes,
    }
    return list(
        datasets.training_batches(source, GRAY, "pad_crop_mirror", **arguments).as_numpy_iterator()
    )


@pytest.mark.parametrize("num_replicas", [2, 3, 4])
def test_global_batches_do_not_depend_on_the_replicas(num_replicas):
    source = numbered_source(31)
    whole, parts = batches(source), batches(source, num_replicas=num_replicas)
    assert len(parts) == num_replicas * len(whole) == num_replicas * 8
    for step, (images, labels) in enumerate(whole):
        part = parts[step * num_replicas : (step + 1) * num_replicas]
        np.testing.assert_array_equal(images, np.concatenate([p[0] for p in part]))
        np.testing.assert_array_equal(labels, np.concatenate([p[1] for p in part]))


def test_batches_go_on_from_any_step_with_the_same_augmentation():
    source = numbered_source(31)
    whole = batches(source)
    for first_step in (1, 5, 7):
        rest = batches(source, first_step=first_step)
        for (images, labels), (again, labels_again) in zip(whole[first_step:], rest, strict=True):
            np.testing.assert_array_equal(images, again)
            np.testing.assert_array_equal(labels, labels_again)


def test_seeds_give_different_batches():
    source = numbered_source(31)
    assert not np.array_equal(batches(source)[0][1], batches(source, seed=4)[0][1])


@pytest.mark.parametrize(("batch_size", "num_replicas"), [(1, 1), (8, 1), (8, 2), (31, 1), (64, 2)])
def test_evaluation_sees_every_image_once(batch_size, num_replicas):
    elements = list(
        datasets.evaluation_batches(
            numbered_source(31), GRAY, global_batch_size=batch_size, num_replicas=num_replicas
        ).as_numpy_iterator()
    )
    assert len(elements) == -(-31 // batch_size) * num_replicas
    labels, weights = (np.concatenate([element[part] for element in elements]) for part in (1, 2))
    assert labels[weights == 1].tolist() == list(range(31))
    assert set(weights.tolist()) <= {0.0, 1.0}


def test_means_are_those_of_numpy(rng):
    images = rng.integers(0, 256, (300, 6, 6, 1), np.uint8)
    source = Source(tf.constant(images), tf.zeros([300], tf.int64), ("a",))
    np.testing.assert_allclose(datasets.pixel_mean(source, GRAY), images.mean(axis=0))
    np.testing.assert_allclose(datasets.channel_mean(source, GRAY), [images.mean()])
    every_third = datasets.channel_mean(source, GRAY, num_images=100)
    np.testing.assert_allclose(every_third, [images[::3].mean()])


def test_shapes_have_their_labels():
    source = datasets.load("shapes", "validation")
    assert len(source) == 400
    assert source.class_names == shapes.CLASS_NAMES
    jpeg, label = shapes.draw("validation", 17)
    image, label_again = source.example(17)
    assert (image.numpy(), int(label_again)) == (jpeg, label)


# --- Folders


def test_folder_of_pictures(picture_folder):
    train = datasets.load(f"folder:{picture_folder}", "train")
    assert train.class_names == ("horizontal", "vertical")
    assert train.labels.numpy().tolist() == [0] * 12 + [1] * 12
    assert len(datasets.load(f"folder:{picture_folder}", "validation")) == 10
    image, label = train.example(tf.constant(13))
    assert image.numpy() == (picture_folder / "train" / "vertical" / "001.jpg").read_bytes()
    assert int(label) == 1


def test_pictures_of_every_kind_become_inputs(picture_folder, rng):
    pixels = rng.integers(0, 256, (30, 20, 4), np.uint8)
    directory = picture_folder / "train" / "vertical"
    PIL.Image.fromarray(pixels[..., 0]).save(directory / "gray.JPG")
    PIL.Image.fromarray(pixels, "CMYK").save(directory / "cmyk.jpeg")
    PIL.Image.fromarray(pixels, "RGBA").save(directory / "alpha.png")
    PIL.Image.fromarray(pixels[..., :3]).quantize(9).save(directory / "palette.PNG")
    PIL.Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(directory / "deep.png")
    source = datasets.load(f"folder:{picture_folder}", "train")
    assert len(source) == 29
    spec = Preprocessing(16, 18, (0, 0, 0))
    for augmentation in ("crop_mirror", "pad_crop_mirror", "none"):
        elements = datasets.training_batches(
            source,
            spec,
            augmentation,
            seed=0,
            global_batch_size=29,
            num_replicas=1,
            first_step=0,
            last_step=1,
        )
        images, _ = next(iter(elements))
        assert images.shape == (29, 16, 16, 3)
        assert np.isfinite(images).all()


def test_a_folder_to_evaluate_needs_no_pictures_to_train_on(picture_folder):
    shutil.rmtree(picture_folder / "train")
    assert len(datasets.load(f"folder:{picture_folder}", "validation")) == 10
    with pytest.raises(ValueError, match="No directory .*train"):
        datasets.load(f"folder:{picture_folder}", "train")


def test_other_files_are_left_alone(picture_folder):
    (picture_folder / "train" / "vertical" / "notes.txt").write_text("x")
    (picture_folder / "train" / "vertical" / "._001.jpg").write_text("x")
    (picture_folder / "train" / "README.md").write_text("x")
    (picture_folder / "train" / ".cache").mkdir()
    hidden = picture_folder / "train" / "vertical" / ".ipynb_checkpoints"
    hidden.mkdir()
    shutil.copy(picture_folder / "train" / "vertical" / "001.jpg", hidden)
    assert len(datasets.load(f"folder:{picture_folder}", "train")) == 24


def corrupt(path):
    path.write_bytes(path.read_bytes()[:200])


def test_corrupt_pictures_are_named(picture_folder):
    broken = picture_folder / "train" / "vertical" / "005.jpg"
    corrupt(broken)
    with pytest.raises(ValueError, match="1 of 24 pictures do not decode") as error:
        datasets.load(f"folder:{picture_folder}", "train")
    assert str(broken) in str(error.value)
    assert "--skip_corrupt" in str(error.value)


def test_corrupt_pictures_are_skipped_and_counted(picture_folder, capsys):
    broken = picture_folder / "train" / "vertical" / "005.jpg"
    corrupt(broken)
    source = datasets.load(f"folder:{picture_folder}", "train", skip_corrupt=True)
    assert len(source) == 23
    assert str(broken).encode() not in source.images.numpy()
    output = capsys.readouterr().out
    assert "1 of 24" in output
    assert str(broken) in output


def test_webp_and_lost_links_are_no_pictures(picture_folder, rng):
    directory = picture_folder / "train" / "vertical"
    PIL.Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(directory / "a.webp")
    (directory / "a.webp").rename(directory / "a.jpg")
    (directory / "b.jpg").symlink_to(directory / "absent.jpg")
    with pytest.raises(ValueError, match="2 of 26 pictures do not decode"):
        datasets.load(f"folder:{picture_folder}", "train")


def test_file_names_need_not_be_utf8(picture_folder):
    directory = picture_folder / "train" / "vertical"
    os.rename(directory / "001.jpg", os.fsencode(directory) + b"/caf\xe9.jpg")
    assert len(datasets.load(f"folder:{picture_folder}", "train")) == 24


def test_a_class_of_corrupt_pictures_only_is_an_empty_class(picture_folder):
    for path in (picture_folder / "train" / "vertical").iterdir():
        corrupt(path)
    with pytest.raises(ValueError, match="no picture of class 'vertical'"):
        datasets.load(f"folder:{picture_folder}", "train", skip_corrupt=True)


def remove_pictures(root):
    for path in (root / "val" / "vertical").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "No directory"),
        (lambda root: shutil.rmtree(root / "val"), "No directory"),
        (lambda root: shutil.rmtree(root / "val" / "vertical"), "same class directories"),
        (lambda root: (root / "val" / "other").mkdir(), "same class directories.*other"),
        (remove_pictures, "vertical holds no picture"),
    ],
)
def test_unusable_folders_are_explained(picture_folder, damage, message):
    damage(picture_folder)
    with pytest.raises(ValueError, match=message):
        datasets.load(f"folder:{picture_folder}", "validation")


def test_an_empty_folder_is_explained(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match="holds no class directory"):
        datasets.load(f"folder:{tmp_path}", "train")


def test_the_fingerprint_follows_the_data(picture_folder, tmp_path, rng):
    def fingerprint():
        return datasets.load(f"folder:{picture_folder}", "train").fingerprint()

    before = fingerprint()
    assert fingerprint() == before
    make_picture_folder(tmp_path / "more", rng, {"train": 1})
    added = picture_folder / "train" / "vertical" / "more.png"
    shutil.copy(tmp_path / "more" / "train" / "vertical" / "000.png", added)
    assert fingerprint() != before
    assert numbered_source(5).fingerprint() != numbered_source(6).fingerprint()


# --- TensorFlow Datasets


def write_tfds(data_dir, splits, shape, images, **more_features):
    """Has TFDS write a data set "pets" of the given images, labelled 0, 1, 0, 1, ..."""
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=shape),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        **more_features,
    }
    if images is None:
        del features["image"]

    def examples(start, number):
        for index in range(start, start + number):
            example = {"label": index % 2}
            if images is not None:
                example["image"] = images[index]
            yield example

    signature = {
        name: tf.TensorSpec(feature.shape, feature.dtype) for name, feature in features.items()
    }
    starts = np.cumsum([0, *splits.values()])
    tfds.dataset_builders.TfDataBuilder(
        name="pets",
        version="1.0.0",
        split_datasets={
            split: tf.data.Dataset.from_generator(
                functools.partial(examples, start, number), output_signature=signature
            )
            for (split, number), start in zip(splits.items(), starts, strict=False)
        },
        features=tfds.features.FeaturesDict(features),
        data_dir=data_dir,
    ).download_and_prepare()


def pixels_by_label(source):
    """The images of a source, sorted, since TFDS shuffles when it writes."""
    return sorted(
        (int(source.example(index)[1]), source.example(index)[0].numpy().tobytes())
        for index in range(len(source))
    )


@pytest.mark.parametrize(
    ("splits", "train", "validation"),
    [
        ({"train": 20, "test": 6}, 20, 6),
        ({"train": 20, "validation": 5, "test": 6}, 20, 5),
        ({"train": 20}, 18, 2),
    ],
)
def test_tfds_images_of_one_size_are_held_as_pixels(tmp_path, rng, splits, train, validation):
    images = rng.integers(0, 256, (31, 7, 5, 1), np.uint8)
    write_tfds(tmp_path, splits, (7, 5, 1), images)
    source = datasets.load("pets", "train", data_dir=tmp_path)
    assert (len(source), source.pixel_shape, source.channels) == (train, (7, 5), 1)
    assert source.class_names == ("cat", "dog")
    assert len(datasets.load("pets", "validation", data_dir=tmp_path)) == validation
    if "test" in splits:
        expected = sorted((index % 2, images[index].tobytes()) for index in range(20))
        assert pixels_by_label(source) == expected


def test_tfds_images_of_varying_sizes_are_held_encoded(tmp_path, rng):
    images = [rng.integers(0, 256, (9 + i, 20 - i, 3), np.uint8) for i in range(6)]
    write_tfds(tmp_path, {"train": 4, "test": 2}, (None, None, 3), images)
    source = datasets.load("pets", "train", data_dir=tmp_path)
    assert source.pixel_shape is None
    decoded = sorted(decode(source.example(i)[0], 3).numpy().tobytes() for i in range(4))
    assert decoded == sorted(image.tobytes() for image in images[:4])


def test_tfds_data_for_another_purpose_is_refused(tmp_path):
    write_tfds(tmp_path, {"train": 4}, (), None)
    with pytest.raises(ValueError, match="`dataset` must have an `image` and a class `label`"):
        datasets.load("pets", "train", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["cifra10", "no/such/data", "", "folder"])
def test_unknown_data_sets_are_named(tmp_path, name):
    with pytest.raises(ValueError, match="`dataset` must be 'shapes', 'folder:PATH' or the name"):
        datasets.load(name, "train", data_dir=tmp_path)


def test_imagenet_says_how_it_is_prepared(tmp_path):
    with pytest.raises(ValueError, match="ImageNet is not prepared: looked in") as error:
        datasets.load("imagenet2012", "train", data_dir=tmp_path)
    for text in (str(tmp_path), "ILSVRC2012_img_train.tar", "tfds build", "--dataset=shapes"):
        assert text in str(error.value)


def test_a_failed_download_is_explained(tmp_path, monkeypatch):
    # A proxy that knows no page at all stands for the network that is not there.
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(ValueError, match="`dataset` 'kmnist' is not prepared in") as error:
            datasets.load("kmnist", "train", data_dir=tmp_path)
        server.shutdown()
    assert "tfds build kmnist" in str(error.value)
