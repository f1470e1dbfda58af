"""Trains the networks of section 4.2 on CIFAR-10 or any other data set of small images.

Without flags: the paper's recipe for ResNet-20. Whatever happens to a training, the same command
goes on where it was. The end is an accuracy on all images of the test set.

  python launch/cifar10.py --depth=56
  python launch/cifar10.py --network=CifarPlainNet --depth=56
  python launch/cifar10.py --dataset=fashion_mnist --train_steps=4000
"""

import program

from keras_resnet.classification.recipes import RECIPES

PROGRAM, main = program.training_program(__doc__, RECIPES["cifar10"])

if __name__ == "__main__":
    PROGRAM.run(main)
