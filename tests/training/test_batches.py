import time

import numpy as np
import tensorflow as tf

from keras_resnet.data.sources import MemorySource
from keras_resnet.training.batches import TrainingBatches


def test_indices_are_those_of_the_batches_from_any_step():
    images = np.zeros((10, 1, 1, 1), np.uint8)
    source = MemorySource(images, np.arange(10), tuple("abcdefghij"))
    batches = TrainingBatches(
        source,
        lambda image, label, index, draws: label,
        seed=3,
        size=4,
        last_step=7,
        strategy=tf.distribute.get_strategy(),
    )
    started = time.time()
    labels = {}
    for step in (0, 5):
        parts, made = zip(*batches.from_step(step), strict=True)
        labels[step] = np.concatenate(parts).tolist()
        assert started <= min(made) and max(made) <= time.time()
    assert len(labels[0]) == 7 * 4 and labels[5] == labels[0][5 * 4 :]
    assert list(batches.indices(0, 7)) == labels[0]
    assert list(batches.indices(5, 1)) == labels[5][:4]
    # An epoch sees each image once.
    assert sorted(labels[0][:10]) == list(range(10))
