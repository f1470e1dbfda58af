"""Text of strangers, such as names of files, as it may be printed."""

import re
import unicodedata

# Control characters, half characters that stand for bytes which are no UTF-8, separators of lines.
_HARMFUL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}

# Embeddings, overrides and isolates, which show what follows in another order.
_HARMFUL_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

# What marks something in Markdown; an underscore within a word does not.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~&$#!]|(?<![^\W_])_|_(?![^\W_])")

# A character as `escaped` writes it.
_ESCAPED = re.compile(r"\\(?:[\\tnr]|x..|u.{4}|U.{8})")


def harmless(text: str) -> str:
    r"""A text in one line that controls no terminal: what would is escaped, as `\x1b`.

    Example:
      harmless("\x1b[31mred.jpg")  # \x1b[31mred.jpg, in the terminal's own color
    """
    return "".join(escaped(each) if _is_harmful(each) else each for each in text)


def harmless_lines(text: str) -> str:
    """The same for a text of several lines, whose line breaks are meant."""
    return "\n".join(map(harmless, text.split("\n")))


def in_markdown(text: str) -> str:
    r"""A text as Markdown has it within a line, or a cell of a table, to show it as it is.

    Example:
      in_markdown("a|b`c`_d")  # a\|b\`c\`\_d
    """
    return _MARKDOWN.sub(r"\\\g<0>", harmless(text))


def fenced(text: str, language: str = "") -> str:
    """A text of several lines as a block of code of Markdown, which no line of it ends."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{harmless_lines(text)}\n{fence}"


def escaped(text: str) -> str:
    r"""A text in ASCII, as Python writes it in quotes: `\x1b`, `\u4e2d`."""
    return text.encode("unicode_escape").decode()


def _is_harmful(character: str) -> bool:
    return (
        unicodedata.category(character) in _HARMFUL_CATEGORIES
        or unicodedata.bidirectional(character) in _HARMFUL_DIRECTIONS
    )


def lossless(text: str) -> str:
    r"""The same as of `harmless`, from which `original` restores the text.

    So a backslash is escaped, too, as `\\`, and a byte that is no UTF-8, of the name of a file, is
    the half character by which Python has it, `\udcff`.
    """
    if text.isprintable() and "\\" not in text:
        return text  # As are most.
    return "".join(escaped(each) if each == "\\" or _is_harmful(each) else each for each in text)


def original(text: str) -> str:
    """The text of which `lossless` made another."""
    return _ESCAPED.sub(lambda match: match[0].encode().decode("unicode_escape"), text)
