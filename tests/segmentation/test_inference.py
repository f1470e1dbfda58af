import numpy as np
import pytest
import tensorflow as tf
from segmenters import PREPROCESSING, segmenter

from keras_resnet.images.canvas import Canvas, Pictures
from keras_resnet.segmentation import inference
from keras_resnet.segmentation.inference import Scores, ids_of, scorer

SHAPES = ((40, 60), (70, 50), (20, 300), (9, 9))


def pictures(rng, canvas, shapes=SHAPES):
    pixels = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    rows = [canvas.inputs(tf.constant(each), PREPROCESSING) for each in pixels]
    return pixels, Pictures(*(tf.stack(each) for each in zip(*rows, strict=True)))


def ids(model, batch, place, **options):
    found = scorer(model, **options)(*batch)
    scores = [Scores(*(values[place] for values in each)) for each in found]
    return ids_of(scores, batch[0].own_shapes[place], options.get("mirrored", False)).numpy()


def test_a_picture_on_its_canvas_alone_has_the_likeliest_class(rng):
    """Where a picture fills its canvas it is the network's own answer."""
    model = segmenter(canvas=(48, 64))
    _, batch = pictures(rng, model.canvas, [(48, 64)])
    logits = model(batch.inputs[:, :48])[0].numpy()
    found = ids(model, [batch], 0)
    assert found.dtype == np.uint8 and found.shape == (48, 64)
    assert len(np.unique(found)) > 1
    best = np.sort(logits, axis=-1)
    is_clear = best[..., -1] - best[..., -2] > 1e-4
    assert is_clear.mean() > 0.99
    np.testing.assert_array_equal(found[is_clear], logits.argmax(axis=-1)[is_clear])


def test_a_picture_does_not_depend_on_the_others(rng):
    model = segmenter()
    _, batch = pictures(rng, model.canvas)
    for place, shape in enumerate(SHAPES):
        alone = Pictures(*(values[place : place + 1] for values in batch))
        found = ids(model, [batch], place)
        assert found.shape == shape
        assert (found != ids(model, [alone], 0)).mean() < 1e-3


def test_rows_are_looked_at_some_at_a_time(rng, monkeypatch):
    model = segmenter()
    _, batch = pictures(rng, model.canvas)
    whole = ids(model, [batch], 1)
    monkeypatch.setattr(inference, "_SCORES_AT_ONCE", 50 * 3 * 13)
    np.testing.assert_array_equal(ids(model, [batch], 1), whole)


def test_several_sights_are_averaged(rng):
    """Against the probabilities of each, computed by the network and NumPy."""
    model = segmenter(canvas=(48, 48))
    canvases = [Canvas(48, 48), Canvas(64, 64)]
    pixels, first = pictures(rng, canvases[0], [(32, 32)])
    second = Pictures(
        *(each[tf.newaxis] for each in canvases[1].inputs(tf.constant(pixels[0]), PREPROCESSING))
    )
    total = np.zeros((32, 32, 3))
    for sight in (first, second):
        for turned in (False, True):
            inputs = sight.inputs.numpy()
            logits, _ = model.maps(inputs[:, :, ::-1] if turned else inputs)
            logits = tf.image.resize(logits, (32, 32))[0]
            probabilities = tf.nn.softmax(logits).numpy()
            total += probabilities[:, ::-1] if turned else probabilities
    found = ids(model, [first, second], 0, canvases=canvases, mirrored=True)
    best = np.sort(total, axis=-1)
    is_clear = best[..., -1] - best[..., -2] > 1e-4
    np.testing.assert_array_equal(found[is_clear], total.argmax(axis=-1)[is_clear])
    assert is_clear.mean() > 0.99
    assert (found != ids(model, [first], 0)).any()


@pytest.mark.parametrize("width", [3, 5])
def test_pictures_are_mirrored_within_their_width(rng, width):
    inputs = rng.normal(size=(4, 5, 2))
    found = inference.mirrored(tf.constant(inputs), tf.constant(width)).numpy()
    np.testing.assert_array_equal(found[:, :width], inputs[:, :width][:, ::-1])
    np.testing.assert_array_equal(found[:, width:], inputs[:, width:])
