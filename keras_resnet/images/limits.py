"""How large an image may be that is decoded, or shown to a network."""

# More is refused, as PIL does: a file of a few kilobytes can hold an image of gigabytes.
MAX_PIXELS = 178_956_970

# Of what a network sees, in pixels; more does not fit any machine.
LARGEST_SIDE = 16_384
