import importlib.metadata

import keras_resnet


def test_the_package_has_the_version_that_is_installed():
    assert keras_resnet.__version__ == importlib.metadata.version("keras-resnet-paper")
