"""The programs: `python launch/NAME.py` in the repository, `keras-resnet NAME` where installed."""
