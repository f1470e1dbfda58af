"""FCN and DeepLabV3: a training step and inference, ours against torchvision's same networks.

Both take pictures of one size with random weights; inference is the class of each pixel, of which
the mean is shown. Batch normalizations are trained. Each runs in a process of its own, in turns;
ours with oneDNN, as our programs train. The claim: ours is not slower.

  python benchmarks/segmentation.py [--torch_python=.venv-parity/bin/python] [--rounds=3]

`make parity` makes .venv-parity; without torchvision there ours is measured alone.
"""

import sides

if __name__ == "__main__":
    sides.main(__doc__, __file__, "fcn")
