"""The evaluation of a localizer, as a person reads it."""

import functools
import pathlib

from command_line.annotated import opened
from keras_resnet.texts import harmless


def evaluate(path, *, dataset, data_dir, split, skip_corrupt, batch_size, boxes):
    """Prints the errors of a localizer on a data set, and those of each class.

    Args:
      path: of a run directory or a .keras file.
      dataset, data_dir: in place of those of the run.
      split: "train" or "validation".
      skip_corrupt: leave out pictures that do not decode.
      batch_size: pictures at once.
      boxes: directory of XML files; None: that of the run, if the data set is.
    """
    from keras_resnet.data import localization_sets
    from keras_resnet.localization import answers, evaluation
    from keras_resnet.localization.files import load_localizer
    from keras_resnet.runs.figures import describe
    from keras_resnet.tasks import load_config

    model, config = load_localizer(path), load_config(path)
    if config is not None:
        is_of_run = dataset in (None, "", config.dataset)
        boxes = boxes or (config.task.boxes if is_of_run else None)
        config = config.with_options(boxes=boxes)
    open_set = functools.partial(localization_sets.opened, boxes=boxes)
    name, _, source = opened(config, dataset, data_dir, split, skip_corrupt, open_set, "boxes")
    of_rows, table = evaluation.fitted_objects(model, source)
    gathered = answers.judged(model, source, of_rows, batch_size=batch_size)
    found = {**evaluation.evaluation(gathered, table), "images": len(source)}
    title = f"{pathlib.Path(path).name}, one scale, {name}, {split}"
    print(f"{harmless(title)}: {describe(evaluation.FIGURES, found)}")
    names = model.class_names or source.class_names
    print("\n".join(evaluation.lines(gathered, table, names)))
