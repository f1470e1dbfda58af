"""The evaluation of a segmenter, as a person reads it."""

import functools
import pathlib

from command_line.annotated import opened
from keras_resnet.texts import harmless


def evaluate(path, *, dataset, data_dir, split, skip_corrupt, **options):
    """Prints the figures of a segmenter on a data set, and those of each class.

    Args:
      path: of a run directory or a .keras file.
      dataset, data_dir: in place of those of the run.
      split: "train" or "validation".
      skip_corrupt: leave out pictures that do not decode.
      **options: those of `segmentation.answers.judged`.
    """
    from keras_resnet.data import mask_sets
    from keras_resnet.runs.figures import describe
    from keras_resnet.segmentation import answers, evaluation
    from keras_resnet.segmentation.files import load_segmenter
    from keras_resnet.tasks import load_config

    model, config = load_segmenter(path), load_config(path)
    # Another data set of the run has its values for classes.
    key = {} if config is None else {"key": config.task.key}
    open_set = functools.partial(mask_sets.opened, **key)
    name, _, source = opened(config, dataset, data_dir, split, skip_corrupt, open_set, "masks")
    masks = evaluation.fitted_masks(model, source)
    confusion = evaluation.total(answers.judged(model, source, masks, **options))
    found = {**evaluation.evaluation(confusion), "images": len(source)}
    title = f"{pathlib.Path(path).name}, {_protocol(**options)}, {name}, {split}"
    print(f"{harmless(title)}: {describe(evaluation.FIGURES, found)}")
    names = model.class_names or source.class_names
    print("\n".join(evaluation.lines(confusion, names)))


def _protocol(shorter_sides, mirrored, **_):
    """How a segmenter is asked, in words."""
    scales = f"scales {', '.join(map(str, shorter_sides))}" if shorter_sides else "one scale"
    return scales + (", mirrored" if mirrored else "")
