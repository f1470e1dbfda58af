"""Trains a network that tells the class of a picture, and the box around what is of it.

  python launch/localization.py --boxes=ILSVRC/Annotations/CLS-LOC
  python launch/localization.py --dataset=my_pictures --weights=imagenet --depth=50
  python launch/localization.py --recipe=hidden_shapes

Each picture has one class, and boxes of that class alone: ImageNet with the XML files of CLS-LOC
beside it, or a folder as for launch/detection.py (docs/localization.md). The third example needs
no pictures: it draws its own.

Ctrl-C saves and stops; the same command resumes, whatever stopped the training, to the same result.
The end is the localization error, top-1 and top-5, on every picture of the validation set.

Without flags it is the paper's recipe for ImageNet, on a ResNet-101 that knows ImageNet.
"""

from command_line.training import training_program
from keras_resnet.localization.recipes import RECIPES

PROGRAM, read, work = training_program(
    __doc__,
    RECIPES,
    # Classes are those of boxes.
    without=("classes",),
    helps={
        "dataset": "imagenet2012 or another TensorFlow Datasets set of one class for each picture, "
        "with --boxes; hidden_shapes (embedded); or pictures with boxes as launch/detection.py "
        "takes them, of one class each",
        "freeze_batch_norm": "keep statistics, scales and offsets of all batch normalizations, as "
        "the paper does, where the training begins with weights",
    },
)

if __name__ == "__main__":
    PROGRAM.run(read, work)
