import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.training.timetable import Timetable

CIFAR = RECIPES["cifar10"]["paper"]


def test_what_is_due_is_a_multiple_of_its_period_or_comes_last():
    timetable = Timetable(10, log=2, evaluate=4, save=7)
    due = [step for step in range(1, 11) if timetable.is_due(step, timetable.evaluate)]
    assert due == [4, 8, 10]
    stops, step = [], 0
    while step < 10:
        step += timetable.steps_to_next(step)
        stops.append(step)
    assert stops == [2, 4, 6, 7, 8, 10]


@pytest.mark.parametrize(("images", "every"), [(50_000, 391), (3200, 100), (12_801, 101)])
def test_an_evaluation_is_due_every_epoch_but_not_below_100_steps(images, every):
    timetable = Timetable.of(CIFAR, images)
    assert (timetable.last_step, timetable.evaluate) == (64_000, every)


def test_epochs_are_rounded_to_steps():
    config = CIFAR.with_options(train_steps=None, train_epochs=6.1, global_batch_size=8)
    assert Timetable.of(config, 26).last_step == round(6.1 * 26 / 8) == 20
    assert Timetable.of(config.with_options(train_epochs=0.01), 26).last_step == 1
