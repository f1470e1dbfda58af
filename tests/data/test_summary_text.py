from keras_resnet.data.summary import Pairs, Part, Summary
from keras_resnet.data.summary_text import lines, whole_text

NONE = Pairs(0, [])


def part(counts, **changes):
    images = sum(counts.values())
    values = {
        **{"images": images, "looked_at": images, "counts": counts, "formats": {"JPEG": images}},
        **{"sizes": [(32, 24), (64, 48), (640, 480)], "small": 0, "turned": 0, "transparent": 0},
        "left_out": {},
    }
    return Part(**{**values, **changes})


def summary_of(parts, **changes):
    values = {
        **{"image_size": 224, "several_classes": NONE, "equal": NONE, "alike": NONE, "flat": 0},
        "not_compared": {},
    }
    return Summary(parts=parts, **{**values, **changes})


def test_an_ordinary_set_is_a_few_lines():
    parts = {
        "train": part({"cat": 1807, "dog": 955}, turned=1200, small=2),
        "validation": part({"cat": 200, "dog": 60}, formats={"PNG": 250, "WebP": 10}),
    }
    assert lines(summary_of(parts)) == [
        "Pictures   training   validation",
        "  cat         1,807          200",
        "  dog           955           60",
        "  all         2,762          260",
        "Sizes: 32x24 to 640x480, median 64x48; "
        "2 smaller than the 224 pixels that the network sees",
        "Formats: 2,762 JPEG, 250 PNG, 10 WebP; 1,200 turned by EXIF",
    ]


def test_warnings_come_first():
    parts = {
        "train": part({"cat": 31, "dog": 10, "eel": 0}, left_out={".svg": 2, "hidden": 1}),
        "validation": part({"cat": 5, "dog": 1, "eel": 1}, left_out={".svg": 1}, transparent=2),
    }
    found = summary_of(
        parts,
        several_classes=Pairs(2, [("/a/b/\x1b.jpg", "/a/c/d.jpg")]),
        equal=Pairs(1, [("/a/e.jpg", "/a/f.jpg")]),
        alike=Pairs(3, [("image 1 of 5", "image 0 of 7")]),
        flat=4,
    )
    shown = lines(found)
    assert shown[:6] == [
        "! 1 class without a training picture: eel",
        "! Uneven classes: cat has 3.1 times the pictures of dog; "
        "--class_weights or --balanced_sampling make up for it",
        r"! 2 pictures the same in several classes, such as b/\x1b.jpg = c/d.jpg",
        "! 1 picture of validation the same as one to train on, such as e.jpg = f.jpg",
        "! 3 pictures of validation much like one to train on, such as image 1 of 5 = image 0 of 7",
        "! 4 files left out: 3 .svg, 1 hidden",
    ]
    assert shown[-2:] == [
        "Formats: 48 JPEG; 2 with transparent pixels",
        "4 pictures of validation too flat to look for the like",
    ]
    assert len(shown) <= 15


def test_three_to_one_is_even_and_one_class_is_told():
    assert not lines(summary_of({"train": part({"cat": 30, "dog": 10})}))[0].startswith("!")
    (first, *others) = lines(summary_of({"train": part({"cat": 30}, sizes=[(9, 8)] * 3)}))
    assert first == "! There is one class only, cat: there is nothing to tell apart"
    assert others == [
        "Pictures   training",
        "  cat            30",
        "Sizes: all 9x8",
        "Formats: 30 JPEG",
    ]


def test_of_many_classes_the_largest_and_the_smallest_are_shown():
    counts = {f"class {number}": 1000 + number for number in range(1000)}
    shown = lines(summary_of({"train": part(counts)}))
    names = [line.rpartition("   ")[0].strip() for line in shown[1:23]]
    assert names[:10] == [f"class {number}" for number in range(999, 989, -1)]
    assert names[10] == "... 980 more"
    assert names[11:21] == [f"class {number}" for number in range(9, -1, -1)]
    assert names[21] == "all"
    text = whole_text(summary_of({"train": part(counts)}))
    assert [line.rpartition("   ")[0].strip() for line in text.splitlines()[1:1001]] == list(counts)
    assert text.endswith("JPEG\n")


def test_a_sample_is_told():
    counts = {"cat": 6000, "dog": 4000}
    known = part(counts, images=10_000, looked_at=1_500)
    of_sample = part({"cat": 900, "dog": 0}, images=10_000, looked_at=900)
    assert lines(summary_of({"train": known}))[4] == (
        "Looked at 1,500 of 10,000 training pictures, all over the set; what follows is of these"
    )
    shown = lines(summary_of({"train": of_sample}))
    # That none was seen does not mean that there is none.
    assert shown[0] == "Pictures   training"
    assert shown[4].endswith("; all here is of these")
    nothing = part(counts, looked_at=0, sizes=[], formats={})
    assert len(lines(summary_of({"train": nothing}))) == 4
    left = summary_of({"train": known}, not_compared={"train": 200, "validation": 0})
    assert lines(left)[-1].startswith("200 of 1,500 training pictures not compared")
