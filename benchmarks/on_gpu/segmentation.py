"""DeepLabV3 on the GPU: training steps and inference, of pictures that are there."""

import keras
from fcn import keras_resnet_side
from fcn.workloads import FUNCTIONS, of_gpu
from on_gpu.networks import peak_from_now, wait


def measure(report):
    """Reports the rates of both in each precision."""
    workload = of_gpu(report.smoke)
    for dtype in ("mixed_bfloat16",) if report.smoke else ("mixed_bfloat16", "float32"):
        for name in FUNCTIONS:
            keras.backend.clear_session()
            report.rate(
                f"segmentation, {name}, keras_resnet, {dtype}, batch {workload.batch_size}",
                lambda name=name, dtype=dtype: keras_resnet_side.functions(workload, dtype)[name],
                workload.batch_size,
                wait,
                peak_from_now(report),
            )
