"""Trains the networks of Table 1 on ImageNet, or on your own folder of pictures.

Without flags: the paper's recipe for ResNet-50. Whatever happens to a training, the same command
goes on where it was. The end is an accuracy on all images of the validation set.

  python launch/imagenet.py --depth=50
  python launch/imagenet.py --depth=18 --dataset=folder:my_pictures --train_epochs=60
  python launch/imagenet.py --dataset=shapes --network=CifarResNet --depth=14 --image_size=32 \\
      --train_resize=36 --global_batch_size=32 --train_epochs=4

launch/prepare_imagenet.py prepares ImageNet; docs/recipes.md says what the recipe is.
"""

import program

from keras_resnet.classification.recipes import RECIPES

PROGRAM, main = program.training_program(__doc__, RECIPES["imagenet"])

if __name__ == "__main__":
    PROGRAM.run(main)
