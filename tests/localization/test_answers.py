import numpy as np
import pytest
from localizers import NAMES, localizer, source

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.data.objects import table_of
from keras_resnet.localization.answers import judged


@pytest.fixture(scope="module")
def model():
    return localizer()


def test_batches_of_any_size_give_the_same(model, rng):
    pictures = source(rng)
    one, three = (
        judged(model, pictures, table_of(pictures), batch_size=number) for number in (1, 3)
    )
    assert set(one) == {"classes", "scores", "boxes", "true_box", "shape"}
    for name, rows in one.items():
        assert len(rows) == 4
        for row, other in zip(rows, three[name], strict=True):
            np.testing.assert_allclose(row, other, rtol=1e-4, atol=0.02, err_msg=name)
    assert [shape.tolist() for shape in one["shape"]] == [[40, 60], [70, 50], [33, 33], [9, 120]]


def test_given_pictures_are_answered_as_those_of_a_source(model, rng):
    pictures = source(rng)
    expected = judged(model, pictures, table_of(pictures))
    contents = [pictures.example(row)[0].numpy() for row in range(4)]
    for row, found in enumerate(keras_resnet.localize(model, contents)):
        np.testing.assert_allclose(found.boxes, expected["boxes"][row], atol=0.02)
        np.testing.assert_allclose(found.scores, expected["scores"][row], rtol=1e-4)
        assert found.labels == tuple(NAMES[number] for number in expected["classes"][row])
    with pytest.raises(UserError, match="`pictures` must be a list"):
        keras_resnet.localize(model, contents[0])
