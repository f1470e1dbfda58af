"""The peer: torchvision's ResNet-50, channels last, autocast, with and without torch.compile.

And its Faster R-CNN and DeepLabV3, without.
"""

import importlib

from on_gpu.report import CLASSES


def measure(report):
    """Reports the rates of training and inference; says so where torch is not installed."""
    try:
        import torch
        import torchvision  # noqa: F401
    except ImportError as error:
        report.add("torchvision", {"not_measured": f"({error})"})
        return
    if not report.smoke and not torch.cuda.is_available():
        report.add("torchvision", {"not_measured": "(torch sees no GPU)"})
        return
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    first, *others = report.training_batches
    compilations = (False,) if report.smoke else (True, False)
    plan = [(first, True, compiled) for compiled in compilations]
    plan += [(size, True, True) for size in others] + [(first, False, False)]
    for batch_size, half, compiled in plan:
        report.rate(
            f"training, torchvision, {'bfloat16' if half else 'TF32'}, batch {batch_size}"
            f"{', compiled' if compiled else ''}",
            lambda size=batch_size, half=half, compiled=compiled: _trainer(
                torch, report, size, half, compiled
            ),
            batch_size,
            lambda value: value.sum().item(),
            _peak_from_now(torch, report),
        )
    for compiled in compilations:
        for batch_size in report.inference_batches:
            report.rate(
                f"inference, torchvision, bfloat16, batch {batch_size}"
                f"{', compiled' if compiled else ''}",
                lambda size=batch_size, compiled=compiled: _predictor(
                    torch, report, size, compiled
                ),
                batch_size,
                lambda value: value.sum().item(),
                _peak_from_now(torch, report),
            )
    _measure_tasks(torch, report)


def _measure_tasks(torch, report):
    device = "cpu" if report.smoke else "cuda"
    for task, package in (("detection", "faster_rcnn"), ("segmentation", "fcn")):
        side = importlib.import_module(f"{package}.torchvision_side")
        workloads = importlib.import_module(f"{package}.workloads")
        workload = workloads.of_gpu(report.smoke)
        for name in workloads.FUNCTIONS:
            report.rate(
                f"{task}, {name}, torchvision, bfloat16, batch {workload.batch_size}",
                lambda name=name, side=side, workload=workload: side.functions(
                    workload, device, half=True
                )[name],
                workload.batch_size,
                lambda value: value.sum().item(),
                _peak_from_now(torch, report),
            )


def _network(torch, report):
    import torchvision

    make = torchvision.models.resnet18 if report.smoke else torchvision.models.resnet50
    device = "cpu" if report.smoke else "cuda"
    return make().to(device, memory_format=torch.channels_last), device


def _images(torch, report, batch_size, device):
    images = torch.rand(batch_size, 3, report.size, report.size, device=device)
    return images.to(memory_format=torch.channels_last)


def _trainer(torch, report, batch_size, half, compiled):
    model, device = _network(torch, report)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    images = _images(torch, report, batch_size, device)
    labels = torch.randint(CLASSES, [batch_size], device=device)
    forward = torch.compile(model) if compiled else model

    def step():
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss = torch.nn.functional.cross_entropy(forward(images).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _predictor(torch, report, batch_size, compiled):
    model, device = _network(torch, report)
    model.eval()
    images = _images(torch, report, batch_size, device)
    forward = torch.compile(model) if compiled else model

    def step():
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
            return forward(images)

    return step


def _peak_from_now(torch, report):
    if report.smoke:
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return lambda: torch.cuda.max_memory_allocated() / 2**30
