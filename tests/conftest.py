import gc
import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
# Most tests compute in batches, which is faster so.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import pytest
from pictures import make_picture_folder


def pytest_configure(config):
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # This process only hands out tests, and need not wait for TensorFlow.
    import tensorflow as tf

    # Two replicas on one CPU, and a host beside them, which must be asked for before TensorFlow
    # computes anything.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 3
    )


# A file runs in one process. The longest begin, so that all processes end together.
LONGEST_FILES = (
    *("test_trainer", "test_workers", "test_paper", "test_export", "test_convert_weights"),
    *("test_examples", "test_loop", "test_task", "test_imagenet", "test_prepare_imagenet"),
)


def pytest_collection_modifyitems(items):
    places = {f"{name}.py": place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish():
    # What was imported stays: a million objects that the collector need not look at ever again, and
    # TensorFlow's graphs make many more.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Endless paths. pytest's own numbering looks at all directories before, each time."""
    directory = tmp_path_factory.mktemp("keras")
    return (directory / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def keras_home(homes, monkeypatch):
    """Where the test and its processes remember what they found out about files; not there yet."""
    home = next(homes)
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


@pytest.fixture
def picture_folder(tmp_path, rng):
    """A folder of 2 x 12 training and 2 x 5 validation pictures of odd sizes, JPEG and PNG."""
    return make_picture_folder(tmp_path / "pictures", rng, {"train": 12, "val": 5})


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A network and the path of its export, which is not to be changed."""
    import letters

    from keras_resnet.serving.export import export

    model = letters.network()
    return model, export(model, tmp_path_factory.mktemp("exports") / "letters")


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory):
    """A directory of versions that is called "mine", with one that doubles; not to be changed."""
    import tiny_exports

    directory = tmp_path_factory.mktemp("exports") / "mine"
    tiny_exports.write(directory / "1", 2)
    return directory


@pytest.fixture(scope="session")
def versions(exported):
    """That export, as `keras-resnet serve` has it in memory."""
    from servers import loaded_versions

    return loaded_versions(exported[1].parent)


@pytest.fixture(scope="session")
def serve(exported):
    """The signatures of that export, by name."""
    import tensorflow as tf

    _, version = exported
    loaded = tf.saved_model.load(str(version))
    # The signatures alone would not keep the variables.
    return dict(loaded.signatures, kept=loaded)
