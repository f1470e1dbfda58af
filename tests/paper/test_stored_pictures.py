"""The pictures of docs/paper.md are what today's code draws of the figures beside them."""

import re
import xml.etree.ElementTree

import pytest
from processes import ROOT

from keras_resnet.paper import errors, figures, pictures
from keras_resnet.paper.measured import ANY_RUN, measured_runs

STORED = ROOT / "docs" / "paper"


def looks(path):
    """What an .svg shows: its texts, and of each path the style and the number of its points.

    Places and letters are Matplotlib's own, and change with its versions.
    """
    builder = xml.etree.ElementTree.TreeBuilder(insert_comments=True)
    root = xml.etree.ElementTree.parse(path, xml.etree.ElementTree.XMLParser(target=builder))
    texts, paths = [], []
    for element in root.iter():
        if element.tag is xml.etree.ElementTree.Comment:
            texts.append(element.text.strip())
        elif element.tag.endswith("}path") and element.get("style") and element.get("d"):
            points = len(re.findall("[MLC]", element.get("d")))
            paths.append((element.get("style"), points))
    return texts, paths


def table_1():
    """The rows of Table 1 as docs/paper.md has them."""
    text = (ROOT / "docs" / "paper.md").read_text().partition("\nTable 1, ")[2]
    title, _, *lines = (line for line in text.splitlines() if line.startswith("|"))
    names = [name.strip() for name in title.split("|")[1:-1]]
    for line in lines:
        row = dict(zip(names, (cell.strip() for cell in line.split("|")[1:-1]), strict=False))
        if row["network"] == "network":
            return
        numbers = {
            name: int(row[name].replace(",", "")) if row[name] else None
            for name in ("multiply-adds", "published")
        }
        yield {"network": row["network"], **numbers}


def test_costs_are_those_of_the_table(tmp_path):
    pictures.draw_costs(list(table_1()), tmp_path / "tables")
    assert looks(tmp_path / "tables.svg") == looks(STORED / "tables.svg")


def test_errors_are_those_of_the_trainings_that_are_kept(tmp_path):
    kept = sorted(str(path) for path in (ROOT / "docs/trainings/fashion_mnist").iterdir())
    ours = errors.of_runs(measured_runs(kept, ANY_RUN, with_networks=False))
    pictures.draw_errors_by_depth(errors.panels(ours), tmp_path / "errors")
    assert looks(tmp_path / "errors.svg") == looks(STORED / "errors.svg")


@pytest.mark.faults
def test_networks_are_those_of_today(tmp_path):
    figures.draw_networks(tmp_path / "networks.svg")
    assert looks(tmp_path / "networks.svg") == looks(STORED / "networks.svg")
