"""The rooms of the house: which folder may import which, and where each test is."""

import ast
import graphlib
import sys

import pytest
from processes import ROOT

PACKAGE = ROOT / "keras_resnet"

# From the ground up: a room, which is a folder or a module, imports from the floors below its own.
FLOORS = (
    (
        "version",
        "checks",
        "texts",
        "files",
        "locks",
        "charts",
        "plots",
        "class_names",
        "class_colors",
        "process",
    ),
    ("images", "distribution"),
    ("networks", "data"),
    ("weights", "evaluation"),
    ("constructors", "runs"),
    ("training",),
    ("classification", "detection", "segmentation"),
    ("localization",),
    ("tasks",),
    ("serving",),
    ("paper",),
    ("__init__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# The file of each module, by its name within the package.
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# What flags are made of, so that a program can answer without TensorFlow.
OF_STANDARD_LIBRARY = (
    *("version", "checks", "texts", "runs.formats", "runs.options", "runs.config"),
    "runs.canvas_options",
    *("classification.options", "classification.recipes", "data.names", "images.limits"),
    *("data.labels", "data.layouts", "data.named_pictures", "data.pictures", "texts"),
    *("detection.options", "detection.recipes", "segmentation.options", "segmentation.recipes"),
    *("localization.options", "localization.recipes"),
    "data.mask_keys",
    *(
        "networks.families",
        "paper.ablation",
        "paper.comparisons",
        "paper.outcomes",
        "process.keras_settings",
        "process.memory",
    ),
    *(
        "process.onednn",
        "process.processor",
        "process.signals",
        "serving.access",
        "serving.addresses",
        "serving.answers",
        "serving.batches.options",
        "serving.options",
    ),
    *("weights.formats", "weights.packaged", "weights.sets"),
)


def at_once(tree):
    """The statements of a module that are executed when it is imported."""
    for node in ast.iter_child_nodes(tree):
        is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not isinstance(node, ast.FunctionDef) and not is_for_types:
            yield node
            yield from at_once(node)


def imports(path, nodes=ast.walk):
    """Names of all modules that a file imports, as full dotted names."""
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(name, nodes=ast.walk):
    """The modules of the package that a module of it imports."""
    for imported in imports(MODULES[name], nodes):
        package, _, module = imported.partition(".")
        # A module, or a name within a module.
        module = next((m for m in (module, module.rpartition(".")[0]) if m in MODULES), None)
        if package == "keras_resnet" and module:
            yield module


def room(name):
    return name.partition(".")[0]


def test_every_room_has_its_floor():
    assert {room(name) for name in MODULES} == set(FLOOR)


@pytest.mark.parametrize("name", MODULES)
def test_imports_lead_to_the_floors_below(name):
    for module in imported_modules(name):
        is_at_home = room(module) == room(name)
        is_ground = FLOOR[room(module)] == FLOOR[room(name)] == 0
        is_below = FLOOR[room(module)] < FLOOR[room(name)]
        assert is_at_home or is_ground or is_below, f"{name} imports {module}"


def test_of_the_tasks_a_localizer_knows_detectors_alone():
    """It is the proposal network of one; see the floors."""
    rooms = {
        room(module)
        for name in MODULES
        if room(name) == "localization"
        for module in imported_modules(name)
    }
    assert rooms & {"classification", "detection", "segmentation"} == {"detection"}


def test_no_import_leads_back():
    """But for what is imported when it is called, or for types alone."""
    arrows = {name: set(imported_modules(name, at_once)) for name in MODULES}
    graphlib.TopologicalSorter(arrows).prepare()


def test_folders_export_nothing():
    """But for the one door of the clients."""
    for name, path in MODULES.items():
        if name.endswith(".__init__") and name != "serving.clients.__init__":
            (docstring,) = ast.parse(path.read_text()).body
            assert isinstance(docstring, ast.Expr), path


def test_flags_are_for_programs():
    for path in MODULES.values():
        assert not any(module.startswith("absl.flags") for module in imports(path)), path


@pytest.mark.parametrize("name", OF_STANDARD_LIBRARY)
def test_flags_need_the_standard_library_only(name):
    assert set(imported_modules(name, at_once)) <= set(OF_STANDARD_LIBRARY)
    found = {imported.partition(".")[0] for imported in imports(MODULES[name], at_once)}
    assert found <= {*sys.stdlib_module_names, "keras_resnet"}


def test_every_module_has_its_test():
    """In the same folder; so has each program."""
    modules = [path.relative_to(PACKAGE) for path in MODULES.values()]
    programs = [path.relative_to(ROOT) for path in (ROOT / "launch").rglob("*.py")]
    for path in (*modules, *programs):
        if path.stem != "__init__":
            assert (ROOT / "tests" / path.with_name(f"test_{path.name}")).exists(), path
