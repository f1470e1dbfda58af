from keras_resnet.localization.recipes import RECIPES


def test_the_recipe_of_imagenet_has_what_the_paper_says():
    """Appendix C."""
    recipe, task = RECIPES["imagenet"], RECIPES["imagenet"].task
    assert (recipe.depth, recipe.dataset, recipe.weights) == (101, "imagenet2012", "imagenet")
    assert (recipe.global_batch_size, task.anchors_per_image) == (256, 8)
    assert recipe.freeze_batch_norm and task.boxes is None


def test_the_recipe_of_fine_tuning_is_that_of_the_docs():
    recipe = RECIPES["fine_tuning"]
    assert (recipe.depth, recipe.global_batch_size, recipe.learning_rate) == (50, 16, 0.005)
    assert recipe.task == RECIPES["imagenet"].task


def test_the_recipe_of_hidden_shapes_begins_with_nothing():
    recipe = RECIPES["hidden_shapes"]
    assert (recipe.weights, recipe.dataset) == (None, "hidden_shapes")
