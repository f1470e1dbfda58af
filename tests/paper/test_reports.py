import json

from keras_resnet.paper import reports


def test_markdown_leaves_what_is_unknown_empty():
    rows = [
        {"network": "a", "parameters": 1234567, "sizes": [4, 2], "ratio": 0.25},
        {"network": "b", "parameters": None, "sizes": [], "ratio": None},
        {"network": "c", "parameters": 999, "sizes": [7], "ratio": -12.345678},
    ]
    text = reports.markdown(rows)
    assert text.splitlines() == [
        "| network | parameters | sizes | ratio |",
        "| --- | --- | --- | --- |",
        "| a | 1,234,567 | 4 2 | 0.25 |",
        "| b |  |  |  |",
        "| c | 999 | 7 | -12.35 |",
    ]
    assert text.endswith("|\n")


def test_a_report_is_printed_and_written_twice(tmp_path, capsys):
    reports.write(tmp_path / "new" / "found", "| a |\n", {"a": 1})
    assert capsys.readouterr().out == "| a |\n\n"
    assert (tmp_path / "new" / "found.md").read_text() == "| a |\n"
    assert json.loads((tmp_path / "new" / "found.json").read_text()) == {"a": 1}


def test_markdown_shows_names_as_they_are():
    assert reports.markdown([{"a|b": "runs/*_x_|y\udcff"}]).splitlines() == [
        r"| a\|b |",
        "| --- |",
        r"| runs/\*\_x\_\|y\\udcff |",
    ]


def test_a_row_that_lacks_a_column_has_an_empty_cell_there():
    rows = [{"network": "a", "error": 1}, {"network": "b", "seeds": "1 2", "error": 3}]
    assert reports.markdown(rows).splitlines()[2:] == ["| a | 1 |  |", "| b | 3 | 1 2 |"]
