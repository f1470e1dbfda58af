"""How large an image may be that is decoded."""

# More is refused, as PIL does: a file of a few kilobytes can hold an image of gigabytes.
MAX_PIXELS = 178_956_970
