"""What a detector finds, as COCO's files of results have it."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnet import files


def results(
    gathered: Mapping[str, Sequence[np.ndarray]],
    image_ids: Sequence[int | str],
    class_ids: Sequence[int],
) -> list[dict[str, Any]]:
    """An entry for each detection, of all pictures.

    Args:
      gathered: as for `evaluation.evaluation`.
      image_ids: what the annotations call each picture, see `Annotations`.
      class_ids: what they call each class.

    Returns:
      `image_id`, `category_id`, `bbox` (left, top, width and height in pixels, from the corner of
      the picture) and `score`. Numbers are not rounded: what is read back is as it was found.

    Source: https://cocodataset.org/#format-results.
    """
    found = []
    rows = zip(image_ids, gathered["boxes"], gathered["classes"], gathered["scores"], strict=True)
    for image_id, boxes, classes, scores in rows:
        # In Python's own types, which JSON knows.
        of_picture = zip(bounding(boxes), classes.tolist(), scores.tolist(), strict=True)
        found += [
            {"image_id": image_id, "category_id": class_ids[label], "bbox": box, "score": score}
            for box, label, score in of_picture
        ]
    return found


def bounding(boxes: np.ndarray) -> list[list[float]]:
    """Boxes [n, 4] as left, top, width and height."""
    edges = boxes.astype(np.float64)
    return np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1).tolist()


def write(
    path: str | os.PathLike[str],
    gathered: Mapping[str, Sequence[np.ndarray]],
    image_ids: Sequence[int | str],
    class_ids: Sequence[int],
) -> None:
    """Writes a JSON file of `results`, whole or not at all."""
    files.write_text(path, json.dumps(results(gathered, image_ids, class_ids), allow_nan=False))
