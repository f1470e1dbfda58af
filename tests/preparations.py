"""The preparation of ImageNet as users run it: a process, that is stopped and killed."""

import time

import tensorflow as tf
import tensorflow_datasets as tfds
from processes import LAUNCH, Process

from keras_resnet.data.records import ArrayRecords


class Preparation(Process):
    """A program that prepares archives of a part of ImageNet.

    Args:
      source: directory of the archives.
      data: where the data go.
      log: file to which all that it says is added.
    """

    def __init__(self, source, data, log):
        self._log = log
        arguments = [f"--source={source}", f"--data_dir={data}", "--verify=false"]
        super().__init__(LAUNCH / "prepare_imagenet.py", arguments, stdout=log, stderr=log)

    def output(self):
        return self._log.read_text() if self._log.exists() else ""

    def wait_until_it_says(self, text, seconds=60):
        """Waits until the output has a text, which must come before the end of the process."""
        deadline = time.monotonic() + seconds
        while text not in self.output():
            assert self.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.01)

    def finish(self):
        """Waits for the end, which must be a good one."""
        status = self.wait(120)
        assert status == 0, self.output()


def prepared_pictures(data):
    """Label and bytes of each picture of each split, by their names; nothing else may lie there."""
    place = data / "imagenet2012"
    assert sorted(path.name for path in place.iterdir()) == [".lock", "5.1.0"]
    splits = tfds.builder_from_directory(place / "5.1.0").info.splits
    return {str(name): dict(_pictures(split)) for name, split in splits.items()}


def _pictures(split):
    records = ArrayRecords(split.file_instructions)
    for record in records.read(range(len(records))):
        features = tf.train.Example.FromString(record).features.feature
        image, name = (features[key].bytes_list.value[0] for key in ("image", "file_name"))
        yield name, (features["label"].int64_list.value[0], image)
