"""A file of COCO's annotations, whose ids have gaps and no order, and detections, for tests."""

import json

import numpy as np

IMAGE_IDS, CLASS_IDS = [139, 7, 5021, 42], [90, 3, 17]
SIDE = 400


def boxes(rng, number):
    """Of all sizes, on whole pixels."""
    sides = rng.integers(8, 160, (number, 2))
    corners = rng.integers(0, SIDE - sides)
    return np.concatenate([corners, corners + sides], axis=1)


def written(path, rng):
    """Writes the file, with six objects in each picture but the last, some of them crowds."""
    annotations = [
        {
            **{"id": int(rng.integers(1e9)), "image_id": image, "iscrowd": int(rng.random() < 0.2)},
            **{"category_id": int(rng.choice(CLASS_IDS[:2])), "bbox": [left, top, width, height]},
            # Of an outline, within the box.
            **{"area": 0.6 * width * height},
        }
        for image in IMAGE_IDS[:-1]
        for left, top, right, bottom in boxes(rng, 6).tolist()
        for width, height in [(right - left, bottom - top)]
    ]
    images = [
        {"id": image, "file_name": f"{image}.jpg", "width": SIDE, "height": SIDE}
        for image in IMAGE_IDS
    ]
    categories = [{"id": identity, "name": f"class {identity}"} for identity in CLASS_IDS]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))
    return path


def gathered(rng, table):
    """What was found: some near the objects of each picture, some anywhere."""
    found = {"boxes": [], "scores": [], "classes": []}
    for first, last in zip(table.splits[:-1], table.splits[1:], strict=True):
        near = np.repeat(table.boxes[first:last], 2, axis=0)
        near = near + rng.normal(0, 4, near.shape).astype(np.float32)
        found["boxes"].append(np.concatenate([near, boxes(rng, 3)]).astype(np.float32))
        labels = np.repeat(table.labels[first:last], 2)
        found["classes"].append(np.append(labels, [0, 1, 2]).astype(np.int32))
        found["scores"].append(rng.random(len(labels) + 3).astype(np.float32))
    return found
