import shutil

import numpy as np
import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.data import datasets
from keras_resnet.training.inputs import make_sources

IMAGENET, CIFAR = (RECIPES[name]["paper"] for name in ("imagenet", "cifar10"))


def test_what_cannot_be_used_is_left_out_of_both_sets_when_told(picture_folder):
    for split in ("train", "val"):
        (picture_folder / split / "vertical" / "000.png").write_bytes(b"no picture")
    config = CIFAR.with_options(dataset=f"folder:{picture_folder}")
    used = make_sources(config.with_options(skip_corrupt=True))
    assert [len(source) for source in used] == [23, 9]


def indices_of(subset, whole):
    """Where the images of a subset are in the whole."""
    places = {whole.describe(index): index for index in range(len(whole))}
    return [places[subset.describe(index)] for index in range(len(subset))]


def test_images_kept_for_validation_are_not_trained_on(picture_folder):
    all_of_it = CIFAR.with_options(dataset=f"folder:{picture_folder}")
    train, validation = make_sources(all_of_it)
    kept = all_of_it.with_options(validation_images=6, train_images=10)
    used, held_out = make_sources(kept)
    assert (len(used), len(held_out)) == (10, 6)
    used, held_out = indices_of(used, train), indices_of(held_out, train)
    assert len({*used, *held_out}) == 16
    # The seed, which selects the order of training, does not move the split.
    again = make_sources(kept.with_options(seed=5, depth=56))
    assert indices_of(again[0], train) == used
    assert indices_of(again[1], train) == held_out
    everything_else, _ = make_sources(kept.with_options(train_images=None))
    assert set(indices_of(everything_else, train)) == set(range(len(train))) - set(held_out)
    assert len(validation) == 10


def test_the_draw_from_a_folder_with_val_is_that_of_earlier_versions(picture_folder):
    """Or runs would be evaluated on what they were trained on."""
    config = CIFAR.with_options(dataset=f"folder:{picture_folder}")
    train, _ = make_sources(config)
    kept = np.random.default_rng(0).permutation(24)[:6]
    for name in ("val", "test"):
        used, held_out = make_sources(config.with_options(validation_images=6))
        assert indices_of(held_out, train) == sorted(kept)
        assert indices_of(used, train) == sorted(set(range(24)) - set(kept))
        if name == "val":
            (picture_folder / "val").rename(picture_folder / "test")


def test_without_val_some_of_each_class_are_kept_for_all_networks_and_seeds(picture_folder):
    shutil.rmtree(picture_folder / "val")
    config = CIFAR.with_options(dataset=str(picture_folder), validation_images=6)
    pairs = [make_sources(config.with_options(seed=seed, depth=14 + 6 * seed)) for seed in (0, 1)]
    whole = datasets.load(str(picture_folder), "all")
    (used, held_out), again = [[indices_of(side, whole) for side in pair] for pair in pairs]
    assert [used, held_out] == again
    assert sorted(used + held_out) == list(range(24))
    # 12 of each class.
    assert sum(index < 12 for index in held_out) == 3
    fewer, same = make_sources(config.with_options(train_images=10))
    assert len(fewer) == 10
    assert indices_of(same, whole) == held_out
    by_share = make_sources(config.with_options(validation_images=0, validation_share=0.25))
    assert indices_of(by_share[1], whole) == held_out
    with pytest.raises(ValueError, match="none can be kept"):
        make_sources(config.with_options(validation_images=24))


def test_more_images_than_there_are_is_an_error(picture_folder):
    config = CIFAR.with_options(dataset=f"folder:{picture_folder}")
    total = 24
    for change in ({"train_images": total + 1}, {"validation_images": total}):
        with pytest.raises(ValueError, match=f"must leave {total} images"):
            make_sources(config.with_options(**change))
