"""The evaluation of a detector, as a person reads it."""

import pathlib

from command_line.annotated import opened
from keras_resnet.checks import UserError
from keras_resnet.texts import harmless


def evaluate(path, *, dataset, data_dir, split, skip_corrupt, coco, results, **options):
    """Prints the figures of a detector on a data set, and those of each class.

    Args:
      path: of a run directory or a .keras file.
      dataset, data_dir: in place of those of the run.
      split: "train" or "validation".
      skip_corrupt: leave out pictures that do not decode.
      coco: whether COCO's figures are printed, too.
      results: path of a file of all detections; None: none is written.
      **options: those of `detection.answers.detected`.
    """
    from keras_resnet.data import object_sets
    from keras_resnet.detection import answers, coco_figures, coco_results, evaluation
    from keras_resnet.detection.files import load_detector
    from keras_resnet.runs.figures import describe
    from keras_resnet.tasks import load_config

    detector, config = load_detector(path), load_config(path)
    name, of_set, source = opened(
        config, dataset, data_dir, split, skip_corrupt, object_sets.opened, "boxes"
    )
    table = evaluation.fitted_objects(detector, source)
    # What does not fit is found before the inference.
    ids = _ids(detector, of_set, source) if results is not None else ()
    gathered = answers.detected(detector, source, **options)
    classes = detector.classes
    found = {**evaluation.evaluation(gathered, table, classes), "images": len(source)}
    title = f"{pathlib.Path(path).name}, {_protocol(**options)}, {name}, {split}"
    print(f"{harmless(title)}: {describe(evaluation.FIGURES, found)}")
    names = detector.class_names or source.class_names
    print("\n".join(evaluation.lines(evaluation.of_classes(gathered, table, classes), names)))
    if coco:
        figures = coco_figures.coco_figures(gathered, table, classes)
        print("\n".join(coco_figures.lines(figures)))
    if results is not None:
        coco_results.write(results, gathered, *ids)
        print(f"Written: {harmless(results)}")


def _protocol(shorter_sides, refined, voting, **_):
    """How a detector is asked, in words."""
    scales = f"scales {', '.join(map(str, shorter_sides))}" if shorter_sides else "one scale"
    return scales + (", refined" if refined else "") + (", voting" if voting else "")


def _ids(detector, of_set, source):
    """What a data set calls the pictures of a source, and the classes of a detector."""
    if not of_set.image_ids:
        raise UserError(
            "--results is for data sets that have ids for their pictures, as COCO's; those of "
            f"{harmless(source.describe(0))} have none."
        )
    ids = [of_set.image_ids[row] for row in source.all_labels()]
    if len(set(ids)) < len(ids):
        raise UserError(
            "--results needs an id of its own for each picture, and some have the same: those of "
            "VOC and YOLO are the names of their files."
        )
    labels = {name: label for label, name in enumerate(source.class_names)}
    # A class of the detector that the data set does not know gets a number that it has not.
    class_ids = of_set.class_ids or tuple(range(len(labels)))
    beyond = max(class_ids, default=0) + 1
    names = detector.class_names or source.class_names
    of_classes = [
        class_ids[labels[name]] if name in labels else beyond + place
        for place, name in enumerate(names)
    ]
    return ids, of_classes
