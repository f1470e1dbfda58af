"""Trains the paper's detector, Faster R-CNN, on pictures with boxes around their objects.

  python launch/detection.py --dataset=my_pictures --weights=imagenet --depth=50
  python launch/detection.py --dataset=my_pictures --weights=runs/mine --depth=18
  python launch/detection.py --recipe=scenes

A folder has boxes as COCO (JSON), PASCAL VOC (XML) or YOLO (txt) have them (docs/detection.md). The
third example needs no pictures: it draws its own.

Ctrl-C saves and stops; the same command resumes, whatever stopped the training, to the same result.
The end is a mean average precision on every picture of the validation set.

Without flags it is the paper's recipe for PASCAL VOC, on a ResNet-101 that knows ImageNet.
"""

from command_line.training import training_program
from keras_resnet.detection.recipes import RECIPES

PROGRAM, read, work = training_program(
    __doc__,
    RECIPES,
    # Pictures with objects are of no one class.
    without=("classes",),
    helps={
        "dataset": "a folder of pictures and boxes as COCO, VOC or YOLO have them, a .json file of "
        "COCO's form or two (to train on and to validate on) with a comma between, scenes or "
        "mixed_scenes (embedded), or the name of a TensorFlow Datasets set with objects",
        "freeze_batch_norm": "keep statistics, scales and offsets of all batch normalizations, as "
        "the paper does, where the training begins with weights",
    },
)

if __name__ == "__main__":
    PROGRAM.run(read, work)
