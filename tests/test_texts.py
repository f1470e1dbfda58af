import unicodedata

import pytest

from keras_resnet.texts import (
    escaped,
    fenced,
    harmless,
    harmless_lines,
    in_markdown,
    lossless,
    original,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x9b31m\x7f\x85", r"\x9b31m\x7f\x85"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("gpj.\u202egnp.exe\u2066\u2069", r"gpj.\u202egnp.exe\u2066\u2069"),
        # A byte that is no UTF-8, in the name of a file.
        (b"\xff.jpg".decode(errors="surrogateescape"), r"\udcff.jpg"),
    ],
)
def test_what_controls_a_terminal_is_escaped(text, expected):
    assert harmless(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("cat.jpg", "", r"C:\new$1", "café", "cafe\u0301", "中文 図", "قط.jpg", "a\u00a0b\u3000c"),
        "👨\u200d👩\u200d👧",
    ],
)
def test_other_text_stays(text):
    assert harmless(text) == text


def test_every_control_character_and_override_is_escaped():
    """Of the first 65,536, where all of them are: by category, and the ranges of UAX #9."""
    overrides = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    for code in range(1 << 16):
        is_control = unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")
        assert (harmless(chr(code)) != chr(code)) == (is_control or code in overrides), hex(code)


def test_line_breaks_that_are_meant_stay():
    assert harmless_lines("a\x1b:\n  b\r\n") == "a\\x1b:\n  b\\r\n"


def test_escapes_are_ascii():
    assert escaped("中😀") == r"\u4e2d\U0001f600"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("`a` *b* [c](d) <e> ~f~ &g; $h$ i#", r"\`a\` \*b\* \[c\](d) \<e\> \~f\~ \&g; \$h\$ i\#"),
        ("my_pictures _a_ b_", r"my_pictures \_a\_ b\_"),
        ("a\n# b\x1b", r"a\\n\# b\\x1b"),
        ("2-crop, /data/cats (1.5)", "2-crop, /data/cats (1.5)"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text, expected):
    assert in_markdown(text) == expected


def test_no_line_of_a_block_of_code_ends_it():
    assert fenced("a\x1b\nb", "json") == "```json\na\\x1b\nb\n```"
    assert fenced("a\n```\n````") == "`````\na\n```\n````\n`````"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, text) for text in ("cat.jpg", "", "café", "中文 図", "a\u00a0b", 'a,"b"')),
        ("a\nb\r\t\x1b", r"a\nb\r\t\x1b"),
        (r"a\nb", r"a\\nb"),
        ("a\\", "a\\\\"),
        (b"\xff\n\xe2\x80\xa8".decode(errors="surrogateescape"), r"\udcff\n\u2028"),
    ],
)
def test_what_is_escaped_without_loss_can_be_had_again(text, expected):
    assert lossless(text) == expected
    assert original(expected) == text


def test_every_character_can_be_had_again():
    """Beside a backslash, too, and in one line of UTF-8 whatever it is."""
    for start in (0, 0x10FF00):
        text = "".join(f"{chr(code)}\\" for code in range(start, min(start + 0x10000, 0x110000)))
        written = lossless(text)
        assert written.encode() and written.splitlines() == [written]
        assert original(written) == text
