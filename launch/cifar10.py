"""Trains the networks of section 4.2 on CIFAR-10, or on another data set of small images.

  python launch/cifar10.py --depth=56
  python launch/cifar10.py --network=CifarPlainNet --depth=56
  python launch/cifar10.py --dataset=fashion_mnist --train_steps=4000

Ctrl-C saves and stops; the same command resumes, whatever stopped the training, to the same result.
The end is an accuracy on every image of the test set.

Without flags it trains ResNet-20 on CIFAR-10 with the paper's recipe; TensorFlow Datasets downloads
the data. The best network (best.keras) is chosen on the test images, unless --validation_images
keeps some training images for that; the paper's split is --validation_images=5000.
"""

from command_line.training import training_program
from keras_resnet.classification.recipes import RECIPES

PROGRAM, read, work = training_program(__doc__, RECIPES["cifar10"])

if __name__ == "__main__":
    PROGRAM.run(read, work)
