import pytest

from keras_resnet.classification.recipes import RECIPES

CIFAR = RECIPES["cifar10"]["paper"]


def test_the_cifar_recipe_is_section_4_2():
    assert (CIFAR.network, CIFAR.depth, CIFAR.dataset) == ("CifarResNet", 20, "cifar10")
    assert (CIFAR.global_batch_size, CIFAR.train_steps) == (128, 64_000)
    assert (CIFAR.learning_rate, CIFAR.momentum, CIFAR.weight_decay) == (0.1, 0.9, 1e-4)
    assert (CIFAR.task.mean, CIFAR.task.augmentation) == ("pixel", "pad_crop_mirror")


def test_the_imagenet_recipe_is_section_3_4():
    recipe = RECIPES["imagenet"]["paper"]
    assert (recipe.global_batch_size, recipe.train_steps) == (256, 600_000)
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay) == (0.1, 0.9, 1e-4)
    assert (recipe.task.augmentation, recipe.task.pca_color) == ("crop_mirror", 0.1)


@pytest.mark.parametrize(("program", "ema_momentum"), [("cifar10", 0.999), ("imagenet", 0.9999)])
def test_the_modern_recipe_is_that_of_the_docs(program, ema_momentum):
    recipe = RECIPES[program]["modern"]
    assert (recipe.schedule, recipe.warmup_epochs) == ("cosine", 5)
    assert (recipe.task.label_smoothing, recipe.decay_batch_norm) == (0.1, False)
    assert (recipe.zero_last_gamma, recipe.ema_momentum) == (True, ema_momentum)
    deep = recipe.with_options(network="CifarResNet", depth=110)
    assert deep.effective_warmup_error() == 0
    if program == "imagenet":
        assert recipe.train_epochs == 90


def test_the_recipe_of_fine_tuning_is_that_of_the_docs():
    recipe = RECIPES["imagenet"]["fine_tuning"]
    assert (recipe.weights, recipe.freeze, recipe.freeze_batch_norm) == ("imagenet", None, False)
    assert (recipe.global_batch_size, recipe.momentum, recipe.weight_decay) == (32, 0.9, 1e-4)
    assert (recipe.learning_rate, recipe.schedule, recipe.train_epochs) == (0.01, "cosine", 20)
    assert (recipe.warmup_epochs, recipe.task.pca_color) == (0, 0)
    assert recipe.task.augmentation == "crop_mirror"
