"""Pictures and files of their boxes, as VOC, COCO and YOLO have them."""

import json

from pictures import png_of


def write_pictures(folder, names, size=(60, 40)):
    """Black pictures of a width and a height, each of other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(png_of(*size) + f"{folder.name}/{name}".encode())


def voc_text(*objects, size=(60, 40)):
    """The XML of a picture's objects: name, left, top, right and bottom edge of each."""
    width, height = size
    texts = [
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in objects
    ]
    size_text = f"<size><width>{width}</width><height>{height}</height></size>"
    return f"<annotation>{size_text}{''.join(texts)}</annotation>"


def write_voc(folder, stems, lists, name="dog"):
    """A folder of VOC with an object in each picture; lists are stems by name."""
    write_pictures(folder / "JPEGImages", [f"{stem}.png" for stem in stems])
    for place in ("Annotations", "ImageSets/Main"):
        (folder / place).mkdir(parents=True)
    for stem in stems:
        (folder / "Annotations" / f"{stem}.xml").write_text(voc_text((name, 1, 1, 20, 10)))
    for split, names in lists.items():
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names))
    return folder


def write_coco(file, names, categories=((1, "cat"), (5, "dog")), size=(60, 40)):
    """A file of COCO with an object of the last category in each picture."""
    width, height = size
    images = [
        {"id": 10 * number, "file_name": name, "width": width, "height": height}
        for number, name in enumerate(names)
    ]
    objects = [
        {"image_id": image["id"], "category_id": categories[-1][0], "bbox": [1, 2, 10, 20]}
        for image in images
    ]
    kinds = [{"id": identity, "name": name} for identity, name in categories]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": images, "categories": kinds, "annotations": objects}))
    return file
