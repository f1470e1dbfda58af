"""Which pictures with annotations a network is evaluated on."""

from command_line.program import dataset_name
from keras_resnet.checks import UserError


def opened(config, dataset, data_dir, split, skip_corrupt, open_set, annotated_with):
    """The name of the data set to evaluate on, a split of it, and those of its pictures to take.

    Args:
      config: of the run; None: the network is of none.
      dataset, data_dir: in place of the run's.
      split: "train" or "validation".
      skip_corrupt: leave out pictures that do not decode.
      open_set: `object_sets.opened` or `mask_sets.opened`.
      annotated_with: "boxes" or "masks".

    Raises:
      UserError: there is no such split, or the data set cannot be used.
    """
    if split not in ("train", "validation"):
        raise UserError(
            f"`split` must be train or validation for such a network. Received: split={split!r}"
        )
    if dataset:
        name = dataset_name(dataset, annotated_with)
        place = data_dir or (config and config.data_dir)
        found = open_set(name, place, skip_corrupt=skip_corrupt).split(split)
        return name, found, found.source
    config = config.with_options(data_dir=data_dir or config.data_dir, skip_corrupt=skip_corrupt)
    task = config.task.task(config)
    if split == "train":
        return config.dataset, task.data.split("train"), task.sources()["train"]
    # Some may be kept of the pictures to train on.
    root = "train" if task.held_out else "validation"
    return config.dataset, task.data.split(root), task.validation_source()
