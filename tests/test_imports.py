"""The package's modules import each other in one direction, by layers."""

import ast

import pytest
from processes import ROOT

# Each layer may import those below it (and, within a layer, modules listed further right).
LAYERS = (
    ("serving.clients", "serving.export", "serving.card", "serving.warm_up"),
    ("serving.optimization", "serving.folding", "serving.signatures"),
    ("paper.degradation", "paper.ablation", "paper.trainings"),
    ("paper.tables", "paper.construction", "paper.responses"),
    ("training.trainer", "classification.fine_tuning"),
    ("training.loop",),
    ("networks.feature_pyramid", "evaluation.features"),
    (
        "networks.analysis",
        "evaluation.evaluator",
        "classification.protocols",
        "classification.scores",
        "evaluation.precise_bn",
        "runs.run_directory",
    ),
    (
        "distribution.workers",
        "distribution.rendezvous",
        "distribution.strategy",
        "distribution.watchdog",
    ),
    (
        "training.inputs",
        "runs.progress",
        "plots",
        "constructors",
        "training.steps",
        "runs.checkpoints",
        "training.schedules",
    ),
    (
        "weights.conversion",
        "weights.local",
        "weights.architecture",
        "weights.keras_files",
        "weights.pth",
    ),
    ("weights.names", "weights.damage", "weights.download", "weights.sets"),
    ("networks.resnet",),
    (
        "data.imagenet_archives",
        "data.datasets",
        "data.folders",
        "data.tfds",
        "data.batches",
        "data.integrity",
    ),
    ("data.sources", "data.records", "data.shapes", "class_names"),
    (
        "networks.layer_tree",
        "networks.stacks",
        "networks.variants",
        "networks.layers",
        "networks.synchronized_bn",
        "images.augmentation",
        "images.preprocessing",
    ),
    ("networks.inference",),
    (
        "runs.config",
        "data.cache",
        "files",
        "process.memory",
        "process.onednn",
        "process.processor",
        "process.signals",
        "distribution.cluster",
        "class_names",
        "checks",
        "version",
    ),
)
ORDER = [name for layer in LAYERS for name in layer]

# The file of each module, by its name within the package.
MODULES = {
    ".".join(path.relative_to(ROOT / "keras_resnet").with_suffix("").parts): path
    for path in (ROOT / "keras_resnet").rglob("*.py")
    if path.stem != "__init__"
}


def imports(path):
    """Names of all modules that a file imports, as full dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_layer():
    assert set(MODULES) == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_imports_point_one_way(name):
    for imported in imports(MODULES[name]):
        package, _, module = imported.partition(".")
        # A module, or a name within a module.
        module = next((m for m in (module, module.rpartition(".")[0]) if m in MODULES), None)
        if package == "keras_resnet" and module:
            assert ORDER.index(module) > ORDER.index(name), f"{name} imports {module}"


def test_flags_are_for_programs():
    for path in MODULES.values():
        assert not any(module.startswith("absl.flags") for module in imports(path)), path


def test_config_needs_the_standard_library_only():
    import sys

    allowed = {*sys.stdlib_module_names, "keras_resnet"}
    found = {
        name.partition(".")[0] for name in imports(ROOT / "keras_resnet" / "runs" / "config.py")
    }
    assert found <= allowed


def test_every_module_has_its_test():
    """In the same folder; so has each program."""
    modules = [path.relative_to(ROOT / "keras_resnet") for path in MODULES.values()]
    programs = [path.relative_to(ROOT) for path in (ROOT / "launch").glob("*.py")]
    for path in (*modules, *programs):
        assert (ROOT / "tests" / path.with_name(f"test_{path.name}")).exists(), path
