"""Localization: the class of a picture, and the box around it (appendix C of the paper)."""
