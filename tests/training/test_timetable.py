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


@pytest.mark.parametrize(
    ("images", "every"), [(50_000, 391), (3200, 25), (3201, 26), (512, 4), (511, 4), (60, 4)]
)
def test_an_evaluation_is_due_every_epoch_but_not_below_4_steps(images, every):
    timetable = Timetable.of(CIFAR, images)
    assert (timetable.last_step, timetable.evaluate) == (64_000, every)


@pytest.mark.parametrize(("images", "every"), [(50_000, 391), (3200, 100), (12_801, 101)])
def test_plateaus_are_seen_as_they_were_in_earlier_versions(images, every):
    assert Timetable.of(CIFAR.with_options(schedule="plateau"), images).evaluate == every


def test_a_training_ends_at_its_last_step_or_with_its_patience():
    def ends(patience):
        timetable = Timetable(10, log=1, evaluate=1, save=1, patience=patience)
        return [timetable.is_over(*place) for place in ((9, 1), (9, 2), (9, 3), (10, 0))]

    assert ends(None) == [False, False, False, True]
    assert ends(2) == [False, True, True, True]


def test_epochs_are_rounded_to_steps():
    config = CIFAR.with_options(train_steps=None, train_epochs=6.1, global_batch_size=8)
    assert Timetable.of(config, 26).last_step == round(6.1 * 26 / 8) == 20
    assert Timetable.of(config.with_options(train_epochs=0.01), 26).last_step == 1


def test_lines_of_metrics_know_the_epochs_of_copied_images():
    config = CIFAR.with_options(train_epochs=3, train_steps=None, global_batch_size=100)
    # 1,000 images, twice in an epoch.
    rows = [{"step": 10, "epoch": 0.5}, {"step": 34, "epoch": 34 * 100 / 2000}]
    assert Timetable.of_metrics(config, rows).last_step == 60
