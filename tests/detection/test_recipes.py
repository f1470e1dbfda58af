from keras_resnet.detection.recipes import RECIPES


def test_the_recipe_of_voc_is_that_of_faster_rcnn():
    """Ren et al., 2015, section 3.1.3: 60k steps of one picture at 0.001, 20k at a tenth."""
    recipe, task = RECIPES["voc"], RECIPES["voc"].task
    assert (recipe.network, recipe.depth, recipe.weights) == ("ResNet", 101, "imagenet")
    assert (recipe.freeze_batch_norm, recipe.freeze) == (True, None)
    assert (recipe.global_batch_size, recipe.train_steps) == (1, 80_000)
    assert (recipe.learning_rate, recipe.learning_rate_drops) == (0.001, (60_000,))
    assert (recipe.momentum, recipe.weight_decay) == (0.9, 0.0005)
    assert (task.shorter_side, task.longer_side, task.proposals) == (600, 1000, 300)
    assert (task.anchor_sizes, task.train_proposals) == ((128, 256, 512), 2000)
    assert (task.anchors_per_image, task.regions_per_image) == (256, 128)


def test_the_recipe_of_coco_is_that_of_the_paper():
    """Appendix A: eight pictures in a step, 240k steps at 0.001 and 80k at 0.0001."""
    recipe = RECIPES["coco"]
    assert (recipe.global_batch_size, recipe.train_steps) == (8, 320_000)
    assert (recipe.learning_rate, recipe.learning_rate_drops) == (0.001, (240_000,))
    assert recipe.task.anchor_sizes == (64, 128, 256, 512)


def test_the_recipe_of_fine_tuning_is_that_of_the_docs():
    recipe = RECIPES["fine_tuning"]
    assert (recipe.weights, recipe.freeze_batch_norm, recipe.depth) == ("imagenet", True, 50)
    assert (recipe.global_batch_size, recipe.train_epochs) == (4, 12)
    assert (recipe.learning_rate, recipe.schedule) == (0.005, "cosine")
    assert (recipe.weight_decay, recipe.task) == (1e-4, RECIPES["voc"].task)


def test_the_recipe_of_scenes_begins_with_nothing():
    recipe = RECIPES["scenes"]
    assert (recipe.weights, recipe.freeze_batch_norm, recipe.dataset) == (None, True, "scenes")
