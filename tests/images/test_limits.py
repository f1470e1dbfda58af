import PIL.Image

from keras_resnet.images.limits import MAX_PIXELS


def test_the_limit_is_the_one_at_which_pil_refuses():
    assert MAX_PIXELS == 2 * PIL.Image.MAX_IMAGE_PIXELS
