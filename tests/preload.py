"""What processes that tests start have imported already: it takes seconds each time."""

import gc

import keras_resnet.paper.ablation
import keras_resnet.paper.measured
import keras_resnet.serving.clients
import keras_resnet.training.trainer  # noqa: F401

# A fork's collector would look at all of it, and copy it.
gc.freeze()
