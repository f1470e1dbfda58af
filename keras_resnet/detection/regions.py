"""Regions of feature maps, made one size: RoIAlign, and the pooling of the first detectors."""

from collections.abc import Callable

import tensorflow as tf

# Points along a side of each bin whose mean it is.
_SAMPLES = 2


def align(maps: tf.Tensor, boxes: tf.Tensor, stride: int, size: int) -> tf.Tensor:
    """RoIAlign: each region of a map as bins, each the mean of four interpolated points.

    Args:
      maps: float [n, height, width, channels].
      boxes: float [n, regions, 4], in pixels of the picture, see `boxes`.
      stride: of the maps, in pixels of the picture.
      size: number of bins along a side.

    Returns:
      [n, regions, size, size, channels]. Points more than a place outside of the map count as 0.

    Source: He et al., 2017 (Mask R-CNN), section 3.
    """
    boxes = tf.stop_gradient(boxes)
    height, width = tf.unstack(tf.shape(maps)[1:3])
    left, top, right, bottom = tf.unstack(boxes / stride, axis=-1)
    rows = _weights(top, bottom, height, size, maps.dtype)
    columns = _weights(left, right, width, size, maps.dtype)
    # On GPUs the products are fast.
    if maps.dtype != tf.float32 or tf.config.list_physical_devices("GPU"):
        return _products(maps, rows, columns)

    # The operation's own gradient is not deterministic: its threads add to the same numbers, and
    # some of what they add is lost (TensorFlow 2.21, one of six runs on two cores).
    @tf.custom_gradient
    def cut(maps: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return _crops(maps, boxes, stride, size), lambda upstream: _spread(upstream, rows, columns)

    return cut(maps)


def _crops(maps: tf.Tensor, boxes: tf.Tensor, stride: int, size: int) -> tf.Tensor:
    """`align` by TensorFlow's bilinear crops of float32."""
    count, height, width, channels = tf.unstack(tf.shape(maps))
    regions = tf.shape(boxes)[1]
    left, top, right, bottom = tf.unstack(tf.reshape(boxes, [-1, 4]) / stride, axis=-1)
    # A point between the middle of the outermost place and one beyond it is what the outermost is.
    padded = tf.pad(maps, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")

    def normalized(start: tf.Tensor, stop: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Of an axis the first and the last point, as the operation counts: from 0 to 1."""
        to_first = (stop - start) / (2 * _SAMPLES * size)
        last_place = tf.cast(places + 1, boxes.dtype)
        return (start + to_first + 0.5) / last_place, (stop - to_first + 0.5) / last_place

    (y1, y2), (x1, x2) = normalized(top, bottom, height), normalized(left, right, width)
    crops = tf.image.crop_and_resize(
        padded,
        tf.stack([y1, x1, y2, x2], axis=-1),
        tf.repeat(tf.range(count), regions),
        [_SAMPLES * size] * 2,
    )
    bins = tf.nn.avg_pool2d(crops, _SAMPLES, _SAMPLES, "VALID")
    return tf.reshape(bins, [count, regions, size, size, channels])


def _products(maps: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """`align` by matrix products, of any dtype, with `_weights` along both axes."""
    bands = tf.einsum("nrph,nhwc->nrpwc", rows, maps)
    return tf.einsum("nrqw,nrpwc->nrpqc", columns, bands)


def _spread(upstream: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """The gradient of `align` for the maps."""
    bands = tf.einsum("nrqw,nrpqc->nrpwc", columns, upstream)
    return tf.einsum("nrph,nrpwc->nhwc", rows, bands)


def _weights(
    start: tf.Tensor, stop: tf.Tensor, places: tf.Tensor, size: int, dtype: tf.DType
) -> tf.Tensor:
    """What each place along an axis of a map counts in each bin, [..., size, places].

    Args:
      start, stop: edges of the regions, in places of the map, [...].
      places: number of places.
      size: number of bins.
      dtype: of the result.
    """
    fractions = (tf.range(_SAMPLES * size, dtype=start.dtype) + 0.5) / (_SAMPLES * size)
    points = start[..., tf.newaxis] + (stop - start)[..., tf.newaxis] * fractions - 0.5
    last = tf.cast(places - 1, points.dtype)
    is_inside = (points >= -1) & (points <= last + 1)
    points = tf.clip_by_value(points, 0, last)
    distances = tf.abs(points[..., tf.newaxis] - tf.range(last + 1))
    weights = tf.where(is_inside[..., tf.newaxis], tf.nn.relu(1 - distances), 0)
    of_bins = tf.concat([tf.shape(start), [size, _SAMPLES, places]], axis=0)
    return tf.cast(tf.reduce_mean(tf.reshape(weights, of_bins), axis=-2), dtype)


def pool(maps: tf.Tensor, boxes: tf.Tensor, stride: int, size: int) -> tf.Tensor:
    """RoI pooling: each region, rounded to places of the map, as the maxima of its bins.

    Args: as of `align`.

    Returns:
      As `align`; a bin without a place is 0.

    Source: Girshick, 2015 (Fast R-CNN), section 2.1.
    """
    left, top, right, bottom = tf.unstack(
        tf.cast(tf.floor(boxes / stride + 0.5), tf.int32), axis=-1
    )
    rows, has_rows = _places_of_bins(top, bottom, tf.shape(maps)[1], size)
    columns, has_columns = _places_of_bins(left, right, tf.shape(maps)[2], size)
    # Along one axis, and then along the other.
    bands = tf.transpose(_largest(maps, rows, 1), [0, 1, 3, 2, 4])
    bins = tf.transpose(_largest(bands, columns, 2), [0, 1, 3, 2, 4])
    has_places = has_rows[..., :, tf.newaxis] & has_columns[..., tf.newaxis, :]
    return tf.where(has_places[..., tf.newaxis], bins, 0)


def _places_of_bins(
    first: tf.Tensor, last: tf.Tensor, places: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The places along an axis of a map that each bin holds, and whether it holds any.

    Args:
      first, last: places of the regions' edges, which belong to them, int32 [...].
      places: number of places.
      size: number of bins.

    Returns:
      int32 [..., size, most places of a bin], the last one several times in bins of fewer, and bool
      [..., size].
    """
    length = tf.maximum(last - first + 1, 1)[..., tf.newaxis]
    number = tf.range(size)
    start = tf.clip_by_value(first[..., tf.newaxis] + number * length // size, 0, places)
    stop = first[..., tf.newaxis] - (-(number + 1) * length // size)
    stop = tf.clip_by_value(stop, 0, places)
    # A region may reach beyond the map: of such a bin no more than all places are within.
    offsets = tf.range(places)
    most = tf.reduce_max(stop - start)
    within = tf.minimum(start[..., tf.newaxis] + offsets[:most], stop[..., tf.newaxis] - 1)
    return tf.maximum(within, 0), stop > start


def _largest(values: tf.Tensor, places: tf.Tensor, axis: int) -> tf.Tensor:
    """The maxima over the places of each bin along an axis, of which all before are alike.

    Args:
      values: float [..., length, *rest], the length along the axis.
      places: int32 [..., bins, places].
    """
    of_places = tf.gather(values, places, axis=axis, batch_dims=min(axis, 2))
    return tf.reduce_max(of_places, axis=places.shape.rank - 1)
