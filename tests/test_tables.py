from keras_resnet.paper import tables


def test_figures_are_compared_only_where_the_paper_gives_them(monkeypatch):
    variants = (
        ("PlainNet", 18, {}),
        ("ResNet", 18, {"shortcut": "A"}),
        ("ResNet", 18, {"shortcut": "B"}),
        ("ResNet", 50, {"shortcut": "B", "bottleneck_stride": "3x3"}),
        ("ResNet", 50, {"shortcut": "B", "bottleneck_stride": "1x1"}),
    )
    monkeypatch.setattr(tables, "IMAGENET_VARIANTS", variants)
    rows = tables.imagenet_rows()
    published = [row["published"] for row in rows]
    assert published == [None, 1_800_000_000, None, None, 3_800_000_000, 19_600_000_000]
    for row in rows:
        if row["published"]:
            ratio = row["multiply-adds"] / row["published"]
            assert row["difference %"] == round(100 * ratio - 100, 2)


def test_markdown_leaves_what_is_unknown_empty():
    rows = [
        {"network": "a", "parameters": 1234567, "sizes": [4, 2], "ratio": 0.25},
        {"network": "b", "parameters": None, "sizes": [], "ratio": None},
    ]
    assert tables.markdown(rows).splitlines() == [
        "| network | parameters | sizes | ratio |",
        "| --- | --- | --- | --- |",
        "| a | 1,234,567 | 4 2 | 0.25 |",
        "| b |  |  |  |",
    ]
