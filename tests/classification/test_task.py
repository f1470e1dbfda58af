import json

import numpy as np
import pytest
from harness import tiny_training

from keras_resnet.images.preprocessing import Preprocessing

LABELS = ("horizontal", "vertical")


@pytest.fixture
def config(picture_folder):
    return tiny_training(dataset=f"folder:{picture_folder}")


def begun(config):
    """The task, its sources, and what a run finds out of them."""
    task = config.task.task(config)
    sources = task.sources()
    return task, sources, task.setup(sources)


def test_a_run_knows_its_data_again(config, picture_folder):
    task, sources, _ = begun(config)
    description = json.loads(json.dumps(task.describe(sources)))
    assert description["class_names"] == list(LABELS)
    assert (description["train_images"], description["validation_images"]) == (24, 10)
    (picture_folder / "train" / "vertical" / "001.jpg").unlink()
    other = task.describe(task.sources())
    assert {name for name in other if other[name] != description[name]} == {
        *("train_images", "train_fingerprint")
    }


def test_the_network_is_the_configurations_for_what_was_found_out(config):
    config = config.with_options(shortcut="B", activation="tanh", synchronized_batch_norm=True)
    task, sources, setup = begun(config)
    setup = json.loads(json.dumps(setup))
    task.check_setup(setup)
    network = task.network(setup, sources)
    found = network.get_config()
    assert [found[name] for name in ("shortcut", "activation", "synchronized")] == [
        "B",
        "tanh",
        True,
    ]
    assert network.class_names == LABELS
    assert network.preprocessing == Preprocessing.from_json(setup["preprocessing"])
    assert (network.preprocessing.size, network.preprocessing.resize) == (16, 18)
    good = setup["preprocessing"]
    for wrong in (
        *({}, {"preprocessing": {}}, {"preprocessing": {"size": 0}}, {"preprocessing": good}),
        {"preprocessing": good, "bottleneck_stride": "5x5"},
    ):
        with pytest.raises((KeyError, TypeError, ValueError)):
            task.check_setup(wrong)


def test_training_and_evaluation_see_the_same_pictures_in_their_ways(config):
    task, sources, setup = begun(config)
    network = task.network(setup, sources)
    image, label = sources["train"].example(5)
    of_evaluation = task.evaluation_example(network, sources["validation"])(image, label, 1.0)
    np.testing.assert_array_equal(of_evaluation[0], network.preprocessing(image))
    draws = np.full(7, 0.5, np.float32)
    seen, seen_label = task.training_example(network, sources["train"])(image, label, 5, draws)
    assert seen.shape == of_evaluation[0].shape and seen_label == label
    assert np.abs(seen - of_evaluation[0]).max() > 0
    copies = config.with_options(augmentation="tripled")
    assert len(copies.task.task(copies).epoch(sources["train"])) == 3 * len(sources["train"])


def test_classes_of_few_pictures_count_as_much_as_others(config, picture_folder):
    for path in sorted((picture_folder / "train" / "vertical").iterdir())[3:]:
        path.unlink()
    task, sources, setup = begun(config.with_options(balanced_sampling=True))
    seen = task.epoch(sources["train"])
    np.testing.assert_array_equal(np.bincount(seen.all_labels()), [12, 12])
    assert task.epoch(sources["train"]).fingerprint() == seen.fingerprint()
    # Copies come besides.
    doubled = config.with_options(balanced_sampling=True, augmentation="doubled")
    assert len(begun(doubled)[0].epoch(sources["train"])) == 48
    network = task.network(setup, sources)
    batch = np.zeros((2, 16, 16, 3), np.float32), np.array([0, 1])
    plain = task.training_values(network, sources["train"])(batch)["loss"]
    weighted = config.with_options(class_weights=True).task.task(
        config.with_options(class_weights=True)
    )
    # 15 pictures, of 2 classes 12 and 3.
    values = weighted.training_values(network, sources["train"])(batch)
    np.testing.assert_allclose(values["loss"], plain * [15 / 24, 15 / 6], rtol=1e-5)


def test_an_unknown_depth_is_refused_before_anything_is_read(config):
    with pytest.raises(ValueError, match="`depth` must be 6n"):
        config.with_options(depth=9)
