"""What processes that tests start have imported already: it takes seconds each time."""

import keras_resnet.paper.ablation
import keras_resnet.paper.degradation
import keras_resnet.serving.clients
import keras_resnet.training  # noqa: F401
