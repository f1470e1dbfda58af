"""The peer of the benchmark of detectors: torchvision's Faster R-CNN on conv1 to conv4 (C4)."""

import torch
from faster_rcnn.workloads import DEVIATIONS
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign


def functions(workload, device="cpu", half=False):
    """A training step and inference, functions of nothing to a loss and to counts, by name.

    Args:
      workload: `Workload`.
      device: name of torch's.
      half: whether to compute in bfloat16 where torch's autocast does.
    """
    torch.manual_seed(0)
    detector = _detector(workload).to(device, memory_format=torch.channels_last)
    pictures = torch.from_numpy(workload.pictures()).permute(0, 3, 1, 2)
    pictures = pictures.to(device, memory_format=torch.channels_last)
    images = ImageList(pictures, [workload.shape] * workload.batch_size)
    _scale(detector, images)

    def answers(targets=None):
        with torch.autocast(device, torch.bfloat16, enabled=half):
            return _answers(detector, images, targets)

    def find():
        detector.eval()
        with torch.inference_mode():
            found, _ = answers()
        return torch.tensor([len(each["boxes"]) for each in found])

    return {"training": _step(detector, answers, _targets(workload, device)), "inference": find}


def _answers(detector, images, targets):
    """What is found, and the losses, of pictures that are on their canvas already."""
    maps = {"0": detector.backbone(images.tensors)}
    proposals, losses = detector.rpn(images, maps, targets)
    found, more = detector.roi_heads(maps, proposals, images.image_sizes, targets)
    return found, {**losses, **more}


def _detector(workload):
    block = Bottleneck if workload.depth >= 50 else BasicBlock
    blocks = {50: (3, 4, 6, 3), 10: (1, 1, 1, 1)}[workload.depth]
    trunk, head = _parts(block, blocks, workload.width)
    trunk.out_channels = 4 * workload.width * block.expansion
    return FasterRCNN(
        trunk,
        min_size=min(workload.shape),
        max_size=max(workload.shape),
        rpn_anchor_generator=AnchorGenerator((workload.anchor_sizes,), ((0.5, 1.0, 2.0),)),
        rpn_head=_rpn(trunk.out_channels, workload.rpn_channels),
        rpn_pre_nms_top_n_train=6 * workload.train_proposals,
        rpn_pre_nms_top_n_test=20 * workload.proposals,
        rpn_post_nms_top_n_train=workload.train_proposals,
        rpn_post_nms_top_n_test=workload.proposals,
        rpn_batch_size_per_image=workload.anchors_per_image,
        box_roi_pool=MultiScaleRoIAlign(["0"], workload.region_size, sampling_ratio=2),
        box_head=head,
        box_predictor=_Predictor(2 * trunk.out_channels, workload.classes),
        box_nms_thresh=0.3,
        box_batch_size_per_image=workload.regions_per_image,
    )


def _parts(block, blocks, width):
    """conv1 to conv4, and conv5 with the mean of its maps."""
    network = ResNet(block, blocks, norm_layer=FrozenBatchNorm2d)
    network.inplanes = width
    network.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
    stages = [
        network._make_layer(block, width * 2**stage, number, 1 if stage == 0 else 2)
        for stage, number in enumerate(blocks)
    ]
    begin = network.conv1, FrozenBatchNorm2d(width), network.relu, network.maxpool
    head = nn.Sequential(stages[3], nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*begin, *stages[:3]), head


def _rpn(channels, hidden):
    """torchvision's, of as many channels as are asked for."""
    head = RPNHead(hidden, 9)
    head.conv = nn.Sequential(nn.Conv2d(channels, hidden, 3, padding=1), nn.ReLU())
    return head


class _Predictor(nn.Module):
    """What the head says of a region; background has no box."""

    def __init__(self, channels, classes):
        super().__init__()
        self.scores = nn.Linear(channels, classes + 1)
        self.codes = nn.Linear(channels, 4 * (classes + 1))

    def forward(self, features):
        return self.scores(features), self.codes(features)


def _scale(detector, images):
    """Scales the layers that say something to `DEVIATIONS`."""
    rpn, predictor = detector.rpn.head, detector.roi_heads.box_predictor
    layers = rpn.cls_logits, rpn.bbox_pred, predictor.scores, predictor.codes
    detector.eval()
    for layer, deviation in zip(layers, DEVIATIONS.values(), strict=True):
        said = []
        hook = layer.register_forward_hook(lambda *values, said=said: said.append(values[-1]))
        # Which regions are looked at depends on the layers before.
        with torch.no_grad():
            _answers(detector, images, None)
            layer.bias.zero_()
            layer.weight *= deviation / said[0].std()
        hook.remove()


def _targets(workload, device):
    boxes, labels = workload.objects()
    # Class 0 is background.
    return [
        {
            "boxes": torch.from_numpy(of_picture).to(device),
            "labels": torch.from_numpy(classes + 1).to(device),
        }
        for of_picture, classes in zip(boxes, labels, strict=True)
    ]


def _step(detector, answers, targets):
    # It learns nothing: what it looks at stays what it is.
    optimizer = torch.optim.SGD(detector.parameters(), 0.0, momentum=0.9)

    def step():
        detector.train()
        _, losses = answers(targets)
        loss = sum(losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
