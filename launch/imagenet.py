"""Trains a ResNet on your folder of pictures, on ImageNet, or on another data set.

  python launch/imagenet.py --dataset=my_pictures --depth=18 --train_epochs=60
  python launch/imagenet.py --dataset=my_pictures --depth=50 --weights=imagenet
  python launch/imagenet.py --dataset=shapes --network=CifarResNet --depth=14 --image_size=32 \\
      --train_resize=36 --global_batch_size=32 --train_epochs=4

A folder holds a directory of pictures for each class: my_pictures/cat/*, or my_pictures/train/cat/*
and my_pictures/val/cat/* (docs/data.md). The third example needs no pictures, and takes a minute.

Ctrl-C saves and stops; the same command resumes, whatever stopped the training, to the same result.
The end is an accuracy on every image of the validation set.

Without flags it is the paper's recipe for ResNet-50 on ImageNet, which launch/prepare_imagenet.py
prepares.
"""

from command_line.training import training_program
from keras_resnet.classification.recipes import RECIPES

PROGRAM, read, work = training_program(__doc__, RECIPES["imagenet"])

if __name__ == "__main__":
    PROGRAM.run(read, work)
