"""Names of data sets: which of them are paths of a folder of pictures."""

import os

FOLDER = "folder:"

# Of a run whose images the caller of `train` gave, which the run does not keep.
GIVEN = "(given to train)"


def canonical(dataset: str) -> str:
    """The name of a data set with `folder:` before the path of a folder.

    A path begins with /, ./, ../ or ~, or is that of a directory which holds train/. Anything else
    stays as it is: it may be a set of TensorFlow Datasets.
    """
    looks_like_path = dataset in (".", "..") or dataset.startswith(("/", "./", "../", "~"))
    if looks_like_path or os.path.isdir(os.path.join(dataset, "train")):
        return FOLDER + os.path.normpath(dataset)
    return dataset
