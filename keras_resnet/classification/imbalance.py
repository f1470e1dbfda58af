"""Classes of few and of many pictures: what lets them count alike."""

import numpy as np

from keras_resnet.data.integrity import faults_named
from keras_resnet.data.sources import Source, SubsetSource


def class_weights(source: Source) -> np.ndarray:
    """The weight of a picture of each class, float64 [classes].

    The weights of the pictures of a class sum to n / C, where n is the number of pictures, and C
    that of the classes that have some: the mean over all pictures is 1.

    Raises:
      UserError: a picture that holds its label cannot be read.
    """
    numbers = np.bincount(_labels(source), minlength=len(source.class_names))
    mean = len(source) / np.count_nonzero(numbers)
    return np.where(numbers > 0, mean / np.maximum(numbers, 1), 0.0)


def balanced(source: Source) -> Source:
    """The source with pictures of smaller classes several times: each class has as many.

    Each picture of a class comes as often as every other, or once more, which is drawn at random,
    the same in all epochs.

    Raises:
      UserError: a picture that holds its label cannot be read.
    """
    labels = _labels(source)
    of_classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    largest = max(map(len, of_classes))
    rng = np.random.default_rng(0)
    indices = [np.resize(rng.permutation(of_class), largest) for of_class in of_classes]
    return SubsetSource(source, np.sort(np.concatenate(indices)))


def _labels(source: Source) -> np.ndarray:
    with faults_named(source, range(len(source))):
        return source.all_labels()
