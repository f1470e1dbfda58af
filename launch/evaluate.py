"""Evaluates trained networks: top-1, top-5 and loss, average precision, IoU; each image once.

  python launch/evaluate.py runs/cifar10-cifarresnet20
  python launch/evaluate.py runs/scenes-detection-resnet10 --voting
  python launch/evaluate.py runs/scenes-segmentation-resnet10 --mirrored
  python launch/evaluate.py runs/hidden_shapes-localization-resnet10
  python launch/evaluate.py model.keras --dataset=my_pictures
  python launch/evaluate.py runs/a runs/b --protocol=10-crop --scores=scores
  python launch/evaluate.py scores/*.npz

MODEL is a run directory (of which it takes model.keras, the network at the last evaluation), a
.keras file, such as best.keras in a run directory, or an .npz file of scores that --scores wrote.
Several are evaluated one by one and as an ensemble; detectors, segmenters and localizers one by
one. The images are preprocessed as in training and serving.
"""

import pathlib

from absl import flags

from command_line.program import Program, dataset_name, existing, integers, positional
from keras_resnet.checks import UserError, check_integer, check_one_of
from keras_resnet.classification.options import PROTOCOLS
from keras_resnet.runs.config import run_of
from keras_resnet.texts import harmless

BATCH_ON_CANVAS = 4

# What is said of a MODEL that is no detector, segmenter or localizer.
CLASSIFIER = "network that classifies"

PROGRAM = Program(__doc__, "MODEL ... [--dataset=NAME] [flags]", in_batches=True)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "dataset",
    None,
    "a folder of pictures, shapes, or the name of a TFDS set; unset: the run's",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "data_dir", None, "where TensorFlow Datasets are; unset: the run's", flag_values=FLAGS
)
flags.DEFINE_string(
    "split",
    "validation",
    "train or validation (for most TFDS sets: test); of folders also test, or all: every picture",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "batch_size",
    128,
    "images (for 10-crop, crops) at once; multi-scale takes pairs, an image and its mirror; unset, "
    "detectors and segmenters take 4. The result does not depend on it, but for --precise_bn",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "skip_corrupt",
    False,
    "read and decode all images before, and leave out, count and name those that cannot be used",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "protocol",
    "1-crop",
    "1-crop (the center), 10-crop (corners and center, each mirrored, where images are resized to "
    "more than the network's size) or multi-scale (the whole image and its mirror at several "
    "sizes, fully convolutional, for networks that subtract a mean color); probabilities are "
    "averaged",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "sides",
    None,
    "for multi-scale: shorter sides in pixels; unset: 224,256,384,480,640, or as many times the "
    "network's size. Of detectors and segmenters: at which each picture is seen; unset: as in "
    "training",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "precise_bn",
    0,
    "before, compute the statistics of batch normalizations anew over so many training images, "
    "rounded down to whole batches",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "save_model", None, "write the network with these statistics: a .keras file", flag_values=FLAGS
)
flags.DEFINE_string(
    "scores", None, "directory in which to keep the probabilities of each MODEL", flag_values=FLAGS
)
flags.DEFINE_bool(
    "voting",
    False,
    "of detectors: each box becomes the mean of all that agree with it, weighed by their scores",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "refined",
    False,
    "of detectors: look a second time, at the boxes of the first (the paper's box refinement)",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "coco", False, "of detectors: COCO's twelve figures, by pycocotools", flag_values=FLAGS
)
flags.DEFINE_string(
    "results",
    None,
    "of detectors: write all detections, a .json file of COCO's form with the ids of the data set",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "mirrored",
    False,
    "of segmenters: see each picture from the back, too; probabilities are averaged",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "boxes",
    None,
    "of localizers: directory of XML files of a TFDS set of one class for each picture; unset: the "
    "run's",
    flag_values=FLAGS,
)
# What is of one kind of network alone.
OF_KINDS = {
    CLASSIFIER: ("protocol", "precise_bn", "save_model", "scores"),
    "detector": ("voting", "refined", "coco", "results"),
    "segmenter": ("mirrored",),
    "localizer": ("boxes",),
}
OF_DATA = ("dataset", "data_dir", "split", "batch_size", "skip_corrupt")
# What has no meaning for scores.
FOR_NETWORKS = (*OF_DATA, "sides", *(name for names in OF_KINDS.values() for name in names))
PROGRAM.document("Data", *OF_DATA)
PROGRAM.document("Protocol", "protocol", "sides", "precise_bn", "save_model", "scores")
PROGRAM.document("Detectors", *OF_KINDS["detector"])
PROGRAM.document("Segmenters", *OF_KINDS["segmenter"])
PROGRAM.document("Localizers", *OF_KINDS["localizer"])
KIND_OF_CLASS = {"FasterRCNN": "detector", "FCN": "segmenter", "Localizer": "localizer"}


def read(arguments):
    paths = positional(arguments, "MODEL ...")
    check_arguments(paths)
    return (paths,)


def work(paths):
    kinds = {path: kind(path) for path in paths}
    refuse_others(kinds)
    evaluate_one = {
        "detector": evaluate_detector,
        "segmenter": evaluate_segmenter,
        "localizer": evaluate_localizer,
    }.get(kinds[paths[0]])
    if evaluate_one is None:
        evaluate_classifiers(paths)
    else:
        for path in paths:
            evaluate_one(path)


def kind(path):
    """Of what kind a MODEL is, in words."""
    from keras_resnet.weights.keras_files import keras_file, kind_of

    if path.endswith(".npz"):
        return CLASSIFIER
    return KIND_OF_CLASS.get(kind_of(keras_file(path)), CLASSIFIER)


def refuse_others(kinds):
    """Raises UserError for flags that are not for such networks, and for several kinds."""
    path, found = next(iter(kinds.items()))
    for other, of_other in kinds.items():
        if of_other != found:
            raise UserError(
                "Networks of one kind are evaluated at once. Received: "
                f"{path}, a {found}, and {other}, a {of_other}"
            )
    for of_names, names in OF_KINDS.items():
        for name in names:
            if of_names != found and FLAGS[name].present:
                raise UserError(f"--{name} is for a {of_names}; {path} has a {found}.")
    if found == "localizer" and FLAGS["sides"].present:
        raise UserError(f"--sides is not for a localizer, such as {path} has: it sees one scale.")


def evaluate_classifiers(paths):
    """Prints the figures of networks or scores, one by one and together."""
    from keras_resnet.classification import scores

    # What does not fit is found before the first of hours of inference.
    sources = {}
    loaded = [
        scores.load(path) if path.endswith(".npz") else Loaded(path, sources) for path in paths
    ]
    members = []
    for each in loaded:
        member = evaluated(each) if isinstance(each, Loaded) else each
        print(described(member))
        members.append(member)
    if len(members) > 1:
        together = scores.ensemble(members)
        print(described(together))


def described(member):
    """The figures of some scores in a line."""
    from keras_resnet.classification.evaluation import FIGURES
    from keras_resnet.runs.figures import describe

    names = harmless(f"{member.title}, {member.dataset}")
    return f"{names}: {describe(FIGURES, member.evaluation())}"


def check_arguments(paths):
    """Finds mistakes before hours of inference."""
    check_one_of("split", FLAGS.split, ("train", "validation", "test", "all"))
    check_one_of("protocol", FLAGS.protocol, PROTOCOLS)
    check_integer("batch_size", FLAGS.batch_size, 1)
    check_integer("precise_bn", FLAGS.precise_bn, 0)
    if FLAGS.sides is not None:
        for side in integers("sides", FLAGS.sides) or (0,):
            check_integer("sides", side, 1)
    if FLAGS.results is not None:
        check_results(paths)
    networks = [path for path in paths if not path.endswith(".npz")]
    for path in paths:
        existing("MODEL", path)
    if not networks:
        given = [name for name in FOR_NETWORKS if FLAGS[name].present]
        if given:
            raise UserError(f"--{given[0]} is for networks; the scores of .npz files are computed.")
    if FLAGS.save_model is not None:
        if not FLAGS.save_model.endswith(".keras") or pathlib.Path(FLAGS.save_model).exists():
            raise UserError(
                "`save_model` must name a .keras file that does not exist. "
                f"Received: save_model={FLAGS.save_model!r}"
            )
        if not FLAGS.precise_bn or len(networks) != 1:
            raise UserError("`save_model` is for one network and --precise_bn.")
    if FLAGS.scores is not None:
        if pathlib.Path(FLAGS.scores).is_file():
            raise UserError(f"`scores` must be a directory. Received: scores={FLAGS.scores!r}")
        paths_of_scores = [scores_path(path) for path in networks]
        for path in paths_of_scores:
            if path.exists() or paths_of_scores.count(path) > 1:
                raise UserError(f"{path} would be overwritten. Name another --scores directory.")
    for path in networks:
        if run_of(path) is None and pathlib.Path(path).is_dir():
            raise UserError(
                f"MODEL must be a run directory, with its config.json. Received: {path}"
            )
    if not FLAGS.dataset and any(run_of(path) is None for path in networks):
        raise UserError(
            "--dataset=NAME must say what to evaluate on: a .keras file outside of a run directory "
            "does not know."
        )
    if FLAGS.save_model is not None:
        pathlib.Path(FLAGS.save_model).parent.mkdir(parents=True, exist_ok=True)
    if FLAGS.scores is not None:
        pathlib.Path(FLAGS.scores).mkdir(parents=True, exist_ok=True)


def check_results(paths):
    """Raises UserError unless detections can be written where they are to be."""
    path = pathlib.Path(FLAGS.results)
    if path.suffix != ".json" or path.exists() or not path.parent.is_dir():
        raise UserError(
            "`results` must name a .json file that does not exist, in a directory that does. "
            f"Received: results={FLAGS.results!r}"
        )
    if len(paths) > 1:
        raise UserError(f"`results` is for one detector. Received: {len(paths)}")


def scores_path(path):
    """Where the scores of a network are kept."""
    name = pathlib.Path(path).resolve()
    name = name.stem if name.suffix == ".keras" else name.name
    precise = f"-precise{FLAGS.precise_bn}" if FLAGS.precise_bn else ""
    name = f"{name}-{FLAGS.split}-{FLAGS.protocol}{precise}.npz"
    return pathlib.Path(FLAGS.scores) / name


def evaluate_detector(path):
    """Prints the figures of a detector."""
    from command_line.detectors import evaluate

    evaluate(
        path,
        **on_canvas(),
        refined=FLAGS.refined,
        voting=FLAGS.voting,
        coco=FLAGS.coco,
        results=FLAGS.results,
    )


def evaluate_segmenter(path):
    """Prints the figures of a segmenter."""
    from command_line.segmenters import evaluate

    evaluate(path, **on_canvas(), mirrored=FLAGS.mirrored)


def evaluate_localizer(path):
    """Prints the figures of a localizer."""
    from command_line.localizers import evaluate

    options = on_canvas()
    del options["shorter_sides"]
    evaluate(path, **options, boxes=FLAGS.boxes)


def on_canvas():
    """What networks are asked alike that see pictures on a canvas."""
    return {
        "dataset": FLAGS.dataset,
        "data_dir": FLAGS.data_dir,
        "split": FLAGS.split,
        "skip_corrupt": FLAGS.skip_corrupt,
        "shorter_sides": () if FLAGS.sides is None else integers("sides", FLAGS.sides),
        "batch_size": FLAGS.batch_size if FLAGS["batch_size"].present else BATCH_ON_CANVAS,
    }


class Loaded:
    """A network and the images that it is evaluated on, which fit each other.

    Args:
      path: of a run directory or a .keras file.
      sources: the sources that are open, to which this one's is added.
    """

    def __init__(self, path, sources):
        from keras_resnet.classification.evaluation import fitted
        from keras_resnet.runs.run_directory import load_network
        from keras_resnet.tasks import load_config
        from keras_resnet.training.inputs import opened_for

        self.path, self.config, self.model = path, load_config(path), load_network(path)
        self.dataset = dataset_name(FLAGS.dataset) if FLAGS.dataset else self.config.dataset
        self.data = opened_for(self.config, self.dataset, FLAGS.data_dir, FLAGS.skip_corrupt)
        about = self.config and (
            *(self.config.data_dir, self.config.classes),
            *(self.config.validation_images, self.config.validation_share),
        )
        if (self.dataset, about) not in sources:
            sources[self.dataset, about] = self.data.source(FLAGS.split)
        self.source = fitted(self.model, sources[self.dataset, about])

    def training_images(self):
        """Those that the run was trained on, or the training images of another data set."""
        from keras_resnet.training.inputs import make_sources

        if self.config is None or FLAGS.dataset:
            return self.data.source("train")
        place = {"data_dir": FLAGS.data_dir or self.config.data_dir}
        return make_sources(self.config.with_options(**place, skip_corrupt=FLAGS.skip_corrupt))[0]


def evaluated(loaded):
    """The scores of a network, computed."""
    from keras_resnet import files
    from keras_resnet.classification import protocols, scores
    from keras_resnet.evaluation.precise_bn import set_precise_statistics

    model, source = loaded.model, loaded.source
    if FLAGS.precise_bn:
        train = loaded.training_images()
        used = set_precise_statistics(model, train, FLAGS.precise_bn, FLAGS.batch_size)
        print(f"Statistics of batch normalizations: {used} training images.")
        if FLAGS.save_model:
            with files.replacing(pathlib.Path(FLAGS.save_model)) as unfinished:
                model.save(unfinished)
    sides = None if FLAGS.sides is None else integers("sides", FLAGS.sides)
    probabilities, labels = protocols.answers(
        model, source, FLAGS.protocol, sides, FLAGS.batch_size
    )
    precise = f", {used} images of statistics" if FLAGS.precise_bn else ""
    found = scores.Scores(
        title=f"{pathlib.Path(loaded.path).name}, {FLAGS.protocol}{precise}",
        dataset=f"{loaded.dataset}, {FLAGS.split}",
        fingerprint=source.fingerprint(),
        probabilities=probabilities,
        labels=labels,
    )
    if FLAGS.scores is not None:
        found.save(scores_path(loaded.path))
    return found


if __name__ == "__main__":
    PROGRAM.run(read, work)
