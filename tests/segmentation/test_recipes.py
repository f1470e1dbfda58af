from keras_resnet.segmentation.recipes import RECIPES


def test_the_recipe_of_voc_is_that_of_torchvision():
    """Its references/segmentation: 8 GPUs of 4 pictures, 30 epochs at 0.02, scaled by 0.5 to 2."""
    recipe, task = RECIPES["voc"], RECIPES["voc"].task
    assert (recipe.network, recipe.depth, recipe.weights) == ("ResNet", 50, "imagenet")
    assert (recipe.global_batch_size, recipe.train_epochs) == (32, 30)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.momentum) == (0.02, 1e-4, 0.9)
    assert (task.shorter_side, task.crop_size, task.train_scales) == (520, 480, (0.5, 2.0))
    assert (task.head, task.output_stride, task.auxiliary, task.skip) == ("fcn", 8, True, False)


def test_the_recipe_of_fine_tuning_is_that_of_the_docs():
    recipe = RECIPES["fine_tuning"]
    assert (recipe.global_batch_size, recipe.learning_rate) == (8, 0.005)
    assert recipe.task == RECIPES["voc"].task


def test_the_recipe_of_scenes_begins_with_nothing():
    recipe = RECIPES["scenes"]
    assert (recipe.weights, recipe.dataset, recipe.train_steps) == (None, "scenes", 700)
