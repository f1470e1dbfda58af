"""Which anchors and which regions a detector learns from, and what each is to say."""

import tensorflow as tf

from keras_resnet.detection.boxes import intersection_over_union

# In place of the number of an object.
BACKGROUND = -1
IGNORED = -2

# Of 10,000 objects and 20,000 anchors all together would take gigabytes.
_OVERLAPS_AT_ONCE = 2**22


def assign(
    boxes: tf.Tensor,
    objects: tf.Tensor,
    counts: tf.Tensor,
    *,
    foreground: float,
    background: float,
    forced: bool = False,
) -> tf.Tensor:
    """The object that each box of a picture is to find.

    Args:
      boxes: float [..., n, 4].
      objects: boxes of the objects, float [..., m, 4].
      counts: whether each of them is one to learn, bool [..., m]; what lies on another is ignored,
        unless the other has no area, as what fills up.
      foreground: least intersection over union with the object.
      background: below which, with all objects, a box is background; between both it is ignored.
      forced: each object is to be found by the boxes that fit it best, however little they do.

    Returns:
      int32 [..., n]: the number of the object, `BACKGROUND` or `IGNORED`.

    Source: Ren et al., 2015 (Faster R-CNN), section 3.1.2.
    """
    # One object of no area more: of none there is no maximum.
    before = [[0, 0]] * (objects.shape.rank - 2)
    objects = tf.pad(objects, [*before, [0, 1], [0, 0]])
    counts = tf.pad(counts, [*before, [0, 1]])

    def overlaps_of(part: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        overlaps = intersection_over_union(part, objects)
        return overlaps, tf.where(counts[..., tf.newaxis, :], overlaps, 0)

    def best_of_objects(part: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(overlaps_of(part)[1], axis=-2, keepdims=True)

    parts = _parts(boxes, tf.maximum(_OVERLAPS_AT_ONCE // tf.size(counts), 1))
    best = tf.reduce_max(tf.map_fn(best_of_objects, parts), axis=0) if forced else None

    def assigned_of(part: tf.Tensor) -> tf.Tensor:
        overlaps, to_learn = overlaps_of(part)
        found = tf.argmax(to_learn, axis=-1, output_type=tf.int32)
        is_background = tf.reduce_max(overlaps, axis=-1) < background
        assigned = tf.where(is_background, BACKGROUND, IGNORED)
        assigned = tf.where(tf.reduce_max(to_learn, axis=-1) >= foreground, found, assigned)
        if best is None:
            return assigned
        fits_best = tf.equal(to_learn, best) & (best > 0)
        # A box that fits several best is the one's that it fits better.
        best_fit = tf.argmax(tf.where(fits_best, to_learn, -1), axis=-1, output_type=tf.int32)
        return tf.where(tf.reduce_any(fits_best, axis=-1), best_fit, assigned)

    assigned = tf.map_fn(assigned_of, parts, fn_output_signature=tf.int32)
    return _joined(assigned)[..., : tf.shape(boxes)[-2]]


def _parts(boxes: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Boxes [..., n, 4] in parts of a size, [parts, ..., size, 4]; what fills up has no area."""
    size = tf.minimum(size, tf.maximum(tf.shape(boxes)[-2], 1))
    before = [[0, 0]] * (boxes.shape.rank - 2)
    boxes = tf.pad(boxes, [*before, [0, -tf.shape(boxes)[-2] % size], [0, 0]])
    parts = tf.reshape(boxes, [*tf.unstack(tf.shape(boxes)[:-2]), -1, size, 4])
    first = parts.shape.rank - 3
    return tf.transpose(parts, [first, *range(first), -2, -1])


def _joined(parts: tf.Tensor) -> tf.Tensor:
    """[parts, ..., size] as [..., n]."""
    last = parts.shape.rank - 1
    values = tf.transpose(parts, [*range(1, last), 0, last])
    return tf.reshape(values, [*tf.unstack(tf.shape(values)[:-2]), -1])


def sample(
    assigned: tf.Tensor, seeds: tf.Tensor, *, number: int, positives: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Some of the boxes of each picture, at random: positives first, and then background.

    Args:
      assigned: what `assign` gives, int32 [b, n], n being at least `number`.
      seeds: of each picture, int [b, 2]: one of a batch would make the draw depend on the others.
      number: how many at most.
      positives: how many of them are of objects at most; where there are fewer, more are
        background.

    Returns:
      Places among the boxes, int32 [b, number], and whether each is one of the sample, bool [b,
      number]: where too few can be used, some are not.
    """
    shape = tf.shape(assigned)[1:]
    draws = tf.map_fn(
        lambda seed: tf.random.stateless_uniform(shape, seed), seeds, fn_output_signature=tf.float32
    )
    is_object = assigned >= 0
    of_objects = tf.where(is_object, draws, -1.0)
    least = tf.math.top_k(of_objects, positives).values[:, -1:]
    is_candidate = (is_object & (of_objects >= least)) | tf.equal(assigned, BACKGROUND)
    ranks = tf.where(is_object, draws + 1, draws)
    values, places = tf.math.top_k(tf.where(is_candidate, ranks, -1.0), number)
    return places, values >= 0
