import numpy as np
import pytest

from keras_resnet.training.step_times import StepTimes, describe


def test_the_time_of_a_call_is_split_where_images_gradients_and_updates_were_there():
    # Three steps from 100 on; the images of the second come late, those of the third early.
    times = np.array([[101.0, 104.0, 105.0], [107.0, 110.0, 110.5], [106.0, 114.0, 116.0]])
    found = StepTimes.between(100.0, times)
    assert found == StepTimes(16.0, 1 + 2 + 0, 3 + 3 + 3.5, 1 + 0.5 + 2)
    assert found.waiting + found.computing + found.reducing == found.all
    assert found.shares() == pytest.approx((3 / 16, 9.5 / 16, 3.5 / 16))


def test_what_is_not_known_of_a_part_is_not_known_of_the_whole():
    known = StepTimes(1.0, 0.25, 0.5, 0.25)
    assert known + known == StepTimes(2.0, 0.5, 1.0, 0.5)
    assert known + StepTimes(1.0, 0.5) == StepTimes(2.0, 0.75, None, None)
    assert (known + StepTimes(1.0)).waiting is None
    assert StepTimes(1.0, 0.5).shares() is None
    assert StepTimes(0.0, 0.0, 0.0, 0.0).shares() is None


@pytest.mark.parametrize(
    ("shares", "slowest"),
    [
        ([[0.1, 0.5, 0.4], [0.05, 0.9, 0.05], [0.1, 0.6, 0.3]], "b and its computing"),
        ([[0.9, 0.1, 0.0], [0.1, 0.5, 0.4], [0.1, 0.6, 0.3]], "a and its images"),
        # None stands out.
        ([[0.1, 0.8, 0.1], [0.1, 0.75, 0.15], [0.1, 0.7, 0.2]], None),
    ],
)
def test_the_slowest_worker_is_named(shares, slowest):
    text = describe(np.array(shares), "abc")
    assert ("The others wait for" in text) == (slowest is not None)
    if slowest:
        assert text.endswith(f" The others wait for {slowest}.")
    first = "/".join(f"{share:.0%}" for share in shares[0])
    assert text.startswith(f"Waiting for images/computing/reducing, by worker: 0: {first}, 1: ")
