"""Trains a network that tells the class of each pixel, on pictures with masks.

  python launch/segmentation.py --dataset=my_pictures --weights=imagenet --depth=50
  python launch/segmentation.py --dataset=my_pictures --head=deeplabv3 --mask_values=0,255
  python launch/segmentation.py --recipe=scenes

A folder has pictures in images/ and masks of the same names in masks/ (docs/segmentation.md). The
third example needs no pictures: it draws its own.

Ctrl-C saves and stops; the same command resumes, whatever stopped the training, to the same result.
The end is a mean intersection over union, over all pixels of all pictures of the validation set.

Without flags it is torchvision's recipe for PASCAL VOC, on a ResNet-50 that knows ImageNet.
"""

from command_line.training import training_program
from keras_resnet.segmentation.recipes import RECIPES

PROGRAM, read, work = training_program(
    __doc__,
    RECIPES,
    # Pictures with masks are of no one class.
    without=("classes",),
    helps={
        "dataset": "a folder of pictures and masks, or as VOC has them, a .json file of COCO's "
        "form or two (to train on and to validate on) with a comma between, scenes or mixed_scenes "
        "(embedded), or the name of a TensorFlow Datasets set with masks",
        "freeze_batch_norm": "keep statistics, scales and offsets of all batch normalizations, "
        "where the training begins with weights",
    },
)

if __name__ == "__main__":
    PROGRAM.run(read, work)
