import numpy as np
import pytest
import tensorflow as tf
from detectors import PREPROCESSING, detector, of_any_number

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.average_precision import overlaps
from keras_resnet.detection.inference import finder
from keras_resnet.detection.proposals import ProposalOptions, proposals
from keras_resnet.images.canvas import Pictures

OPTIONS = ProposalOptions.of_testing(20)
SHAPES = [[64, 80], [96, 60], [40, 96]]


@pytest.fixture
def pictures(rng):
    inputs = np.zeros((3, 96, 96, 3), np.float32)
    for each, (height, width) in zip(inputs, SHAPES, strict=True):
        each[:height, :width] = rng.normal(0, 50, (height, width, 3))
    return Pictures(tf.constant(inputs), tf.constant(SHAPES), tf.constant(SHAPES) * [3, 2])


@pytest.fixture(scope="module")
def model():
    return detector(proposals=20)


@pytest.fixture(scope="module")
def find(model):
    like = Pictures(tf.zeros([1, 96, 96, 3]), *[tf.zeros([1, 2], tf.int32)] * 2)
    return of_any_number(finder(model), like)


def test_a_picture_alone_and_beside_others_has_the_same_boxes(find, pictures):
    together = {name: values.numpy() for name, values in find(pictures).items()}
    assert (together["count"] > 2).all()
    for place in range(3):
        alone = find(Pictures(*(part[place : place + 1] for part in pictures)))
        assert alone["count"][0] == together["count"][place]
        # Their logits, of random weights, are of some tens.
        np.testing.assert_allclose(alone["scores"][0], together["scores"][place], atol=1e-4)
        np.testing.assert_allclose(alone["boxes"][0], together["boxes"][place], atol=1e-3)
        np.testing.assert_array_equal(alone["classes"][0], together["classes"][place])


def test_boxes_are_in_pixels_of_the_picture_itself(find, pictures):
    found = find(pictures)
    small = find(pictures._replace(own_shapes=pictures.shapes))
    np.testing.assert_allclose(found["boxes"], small["boxes"] * [2.0, 3.0, 2.0, 3.0], rtol=1e-6)
    for boxes, (height, width) in zip(small["boxes"].numpy(), SHAPES, strict=True):
        assert boxes.min() >= 0 and (boxes <= [width, height, width, height]).all()
    scores = found["scores"].numpy()
    assert (np.diff(scores) <= 0).all()
    assert set(found["classes"].numpy().ravel()) <= {0, 1, 2}


# --- The same with loops, a picture at a time


def boxes_of(regions, codes):
    """The formula of R-CNN, and per class, not clipped."""
    sides = regions[:, 2:] - regions[:, :2]
    centers = (regions[:, :2] + sides / 2)[:, np.newaxis] + codes[..., :2] / 10 * sides[:, None]
    half = np.exp(codes[..., 2:] / 5) * sides[:, np.newaxis] / 2
    return np.concatenate([centers - half, centers + half], axis=-1)


def looked_at(model, maps, regions, shape):
    """Of the regions of a picture the probabilities and the boxes within it."""
    logits, codes = (part[0].numpy() for part in model.look(maps, tf.constant(regions[None])))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    boxes = boxes_of(regions, codes)
    (height, width) = shape
    boxes = np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)
    return (shares / shares.sum(axis=1, keepdims=True))[:, 1:], boxes


def guesses(model, inputs, shape, refined):
    """Lists of probabilities and of boxes [regions, classes, ...] of a picture."""
    height, width = (96, 64) if shape[0] > shape[1] else (64, 96)
    height, width = (int(side * inputs.shape[0] / 96) for side in (height, width))
    maps = model.trunk(inputs[None, :height, :width])
    of_anchors = anchors(tf.shape(maps)[1:3], model.stride, model.anchor_shapes)
    regions, is_one = proposals(*model.propose(maps), of_anchors, tf.constant([shape]), OPTIONS)
    looks = [looked_at(model, maps, regions[is_one].numpy(), shape)]
    if refined:
        probabilities, boxes = looks[0]
        again = boxes[np.arange(len(boxes)), probabilities.argmax(axis=1)]
        has_sides = (again[:, 2:] - again[:, :2] >= 1).all(axis=1)
        looks.append(looked_at(model, maps, again[has_sides], shape))
    return looks


def left_over(probabilities, boxes, voting):
    """Rows of class, score and box: by suppression at 0.3, and the votes of those above 0.5."""
    rows = []
    for label in range(probabilities.shape[1]):
        of_class, scores = boxes[:, label], probabilities[:, label]
        in_order = np.argsort(-scores, kind="stable")
        has_area = (of_class[:, 2:] > of_class[:, :2]).all(axis=1)
        left = [place for place in in_order if scores[place] >= 0.05 and has_area[place]]
        while left:
            best, *others = left
            kept = of_class[best]
            shared = overlaps(kept, of_class)
            left = [place for place in others if shared[place] < 0.3]
            if voting:
                voters = shared >= 0.5
                kept = np.average(of_class[voters], axis=0, weights=scores[voters])
            rows.append((label, scores[best], kept))
    return sorted(rows, key=lambda row: -row[1])


@pytest.mark.parametrize(
    ("refined", "voting", "sides"),
    [(True, False, [64]), (False, True, [64, 32])],
)
def test_found_as_with_loops(model, rng, refined, voting, sides):
    photos = [rng.uniform(60, 160, (*shape, 3)).astype(np.uint8) for shape in SHAPES[:2]]
    canvases = [model.canvas.with_shorter(side) for side in sides]
    seen = [[canvas.inputs(photo, PREPROCESSING) for photo in photos] for canvas in canvases]
    of_canvases = [Pictures(*map(tf.stack, zip(*each, strict=True))) for each in seen]
    options = {"canvases": canvases, "refined": refined, "voting": voting}
    found = finder(model, **options)(*of_canvases)
    for place in range(len(photos)):
        probabilities, boxes = [], []
        for inputs, shape, own_shape in (each[place] for each in seen):
            for look in guesses(model, inputs, shape.numpy(), refined):
                probabilities.append(look[0])
                boxes.append(look[1] * (own_shape / shape).numpy()[[1, 0, 1, 0]])
        rows = left_over(np.concatenate(probabilities), np.concatenate(boxes), voting)
        assert found["count"][place] == len(rows) > 2
        labels, scores, boxes = zip(*rows, strict=True)
        np.testing.assert_array_equal(found["classes"][place][: len(rows)], labels)
        np.testing.assert_allclose(found["scores"][place][: len(rows)], scores, atol=1e-4)
        np.testing.assert_allclose(found["boxes"][place][: len(rows)], boxes, atol=1e-3)
