"""Prints the most probable classes of pictures, by an export.

MODEL is an export: a directory of versions, of which the newest is used, or one version. Pictures
are JPEGs and PNGs of any size; of each the five most probable classes are printed.

  python launch/predict.py exports/cifar10 cat.jpg dog.png
"""

import program
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.export import newest_version
from keras_resnet.preprocessing import MAX_PIXELS


def main(arguments):
    model, *names = program.positional(arguments, "MODEL", "IMAGE ...")
    version = newest_version(model)
    try:
        serve = tf.saved_model.load(version).signatures["serving_default"]
    except (tf.errors.OpError, OSError, KeyError) as error:
        raise UserError(f"{version} does not load as an export: {type(error).__name__}") from error
    for name in names:
        with open(name, "rb") as file:
            image_bytes = file.read()
        try:
            answer = serve(image_bytes=tf.constant([image_bytes]))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(
                f"{name} is not an undamaged JPEG or PNG of at most {MAX_PIXELS} pixels."
            ) from error
        probabilities = answer["probabilities"][0].numpy()
        print(name)
        for label, index in zip(answer["labels"][0].numpy(), answer["classes"][0], strict=True):
            print(f"  {100 * probabilities[index]:6.2f}%  {label.decode()}")


if __name__ == "__main__":
    program.run(main, "MODEL IMAGE ...")
