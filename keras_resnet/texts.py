"""Text of strangers, such as names of files, as it may be printed."""

import unicodedata

# Control characters, half characters that stand for bytes which are no UTF-8, separators of lines.
_HARMFUL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}

# Embeddings, overrides and isolates, which show what follows in another order.
_HARMFUL_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def harmless(text: str) -> str:
    r"""A text in one line that controls no terminal: what would is escaped, as `\x1b`.

    Example:
      harmless("\x1b[31mred.jpg")  # \x1b[31mred.jpg, in the terminal's own color
    """
    return "".join(escaped(each) if _is_harmful(each) else each for each in text)


def harmless_lines(text: str) -> str:
    """The same for a text of several lines, whose line breaks are meant."""
    return "\n".join(map(harmless, text.split("\n")))


def escaped(text: str) -> str:
    r"""A text in ASCII, as Python writes it in quotes: `\x1b`, `\u4e2d`."""
    return text.encode("unicode_escape").decode()


def _is_harmful(character: str) -> bool:
    return (
        unicodedata.category(character) in _HARMFUL_CATEGORIES
        or unicodedata.bidirectional(character) in _HARMFUL_DIRECTIONS
    )
