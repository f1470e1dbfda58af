"""The peer of the benchmark of segmenters: torchvision's FCN and DeepLabV3."""

import torch
import torchvision


def functions(workload, device="cpu", half=False):
    """A training step and inference, functions of nothing to a loss and to a mean, by name.

    Args:
      workload: `Workload`.
      device: name of torch's.
      half: whether to compute in bfloat16 where torch's autocast does.
    """
    torch.manual_seed(0)
    make = torchvision.models.segmentation.__dict__[f"{workload.head}_resnet50"]
    model = make(weights=None, weights_backbone=None, aux_loss=True, num_classes=workload.classes)
    model = model.to(device, memory_format=torch.channels_last)
    pictures = torch.from_numpy(workload.pictures()).permute(0, 3, 1, 2)
    pictures = pictures.to(device, memory_format=torch.channels_last)
    ids = torch.from_numpy(workload.ids()).long().to(device)

    def find():
        model.eval()
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
            return model(pictures)["out"].argmax(dim=1).float().mean()

    return {"inference": find, "training": _step(model, pictures, ids, device, half)}


def _step(model, pictures, ids, device, half):
    optimizer = torch.optim.SGD(model.parameters(), 0.0, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss(ignore_index=255)

    def step():
        model.train()
        with torch.autocast(device, torch.bfloat16, enabled=half):
            answers = model(pictures)
            loss = loss_of(answers["out"], ids) + 0.5 * loss_of(answers["aux"], ids)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
