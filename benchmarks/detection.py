"""Faster R-CNN C4: a training step and inference, ours against torchvision's of the same network.

Both take pictures that are on their canvas already, with the same numbers of anchors, proposals and
regions, frozen batch normalizations and random weights, scaled so that both find 20 to 100 objects
in each picture. Each runs in a process of its own, in turns; ours with oneDNN, as our programs
train. The claim: ours is not slower.

  python benchmarks/detection.py [--torch_python=.venv-parity/bin/python] [--rounds=3]

`make parity` makes .venv-parity; without torchvision there ours is measured alone.
"""

import sides

if __name__ == "__main__":
    sides.main(__doc__, __file__, "faster_rcnn")
