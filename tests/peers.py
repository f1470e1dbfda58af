"""Small networks of ours, the same ones of keras.applications, and what others call their parts."""

import numpy as np
from keras.src.applications import resnet
from letters import with_statistics

import keras_resnet

# Stages of one and of two blocks; in keras.applications the stem always has 64 channels.
BLOCKS, FILTERS = (1, 2), (64, 8)
SIZE, CLASSES = 40, 5
# What keras.applications adds to variances, and what we do.
EPSILONS = 1.001e-5, 1e-5


def network(block="bottleneck", **options):
    """A network of two stages that others have, too, with statistics as of training."""
    settings = {"input_shape": (SIZE, SIZE, 3), "classes": CLASSES, **options}
    model = keras_resnet.ResNet("imagenet", block, BLOCKS, FILTERS, **settings)
    return with_statistics(model)


def applications(classifier_activation=None):
    """That network of bottlenecks in keras.applications."""

    def stages(x):
        for stage, (number, width) in enumerate(zip(BLOCKS, FILTERS, strict=True)):
            x = resnet.stack_residual_blocks_v1(
                x, width, number, stride1=2 if stage else 1, name=f"conv{stage + 2}"
            )
        return x

    peer = resnet.ResNet(
        stages,
        preact=False,
        use_bias=True,
        weights=None,
        input_shape=(SIZE, SIZE, 3),
        classes=CLASSES,
        classifier_activation=classifier_activation,
    )
    return with_statistics(peer)


def parts(model):
    """Convolution, normalization, and the names of both: ours, torch's and keras.applications'."""
    yield (
        (model.get_layer("conv1"), model.get_layer("conv1_bn")),
        ("conv1", "conv1_bn"),
        ("conv1", "bn1"),
        ("conv1_conv", "conv1_bn"),
    )
    for stage, number in enumerate(BLOCKS):
        for position in range(number):
            ours = f"conv{stage + 2}_{position + 1}"
            torchs = f"layer{stage + 1}.{position}"
            keras_ = f"conv{stage + 2}_block{position + 1}"
            block = model.get_layer(ours)
            for i, pair in enumerate(zip(block.convolutions, block.norms, strict=True), 1):
                yield (
                    pair,
                    (f"{ours}/conv{i}", f"{ours}/bn{i}"),
                    (f"{torchs}.conv{i}", f"{torchs}.bn{i}"),
                    (f"{keras_}_{i}_conv", f"{keras_}_{i}_bn"),
                )
            if block.shortcut_layer is not None:
                yield (
                    (block.shortcut_layer.conv, block.shortcut_layer.bn),
                    (f"{ours}/shortcut/conv", f"{ours}/shortcut/bn"),
                    (f"{torchs}.downsample.0", f"{torchs}.downsample.1"),
                    (f"{keras_}_0_conv", f"{keras_}_0_bn"),
                )


def ours(model):
    """The weights of a network by our names, layer by layer."""
    weights = {}
    for (conv, bn), (of_conv, of_bn), _, _ in parts(model):
        weights[f"{of_conv}/kernel"] = conv.kernel.numpy()
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            weights[f"{of_bn}/{name}"] = getattr(bn, name).numpy()
    fc = model.get_layer("fc")
    return {**weights, "fc/kernel": fc.kernel.numpy(), "fc/bias": fc.bias.numpy()}


def torchs(model):
    """The same by the names and in the layouts of torchvision."""
    state = {}
    for (conv, bn), _, (of_conv, of_bn), _ in parts(model):
        # From [height, width, in, out] to [out, in, height, width], as writers of bytes take them.
        state[f"{of_conv}.weight"] = np.einsum("hwio->oihw", conv.kernel).copy("C")
        state[f"{of_bn}.weight"] = bn.gamma.numpy()
        state[f"{of_bn}.bias"] = bn.beta.numpy()
        state[f"{of_bn}.running_mean"] = bn.moving_mean.numpy()
        state[f"{of_bn}.running_var"] = bn.moving_variance.numpy()
    fc = model.get_layer("fc")
    return {
        **state,
        "fc.weight": np.einsum("io->oi", fc.kernel).copy("C"),
        "fc.bias": fc.bias.numpy(),
    }


def applications_of(model):
    """The same by the names of keras.applications, where it computes the same of BGR."""
    theirs, ours_ = EPSILONS
    values = {}
    for (conv, bn), _, _, (of_conv, of_bn) in parts(model):
        kernel = conv.kernel.numpy()
        values[f"{of_conv}/kernel"] = kernel[:, :, [2, 1, 0]] if of_conv == "conv1_conv" else kernel
        values[f"{of_conv}/bias"] = np.zeros(kernel.shape[3], np.float32)
        for name in ("gamma", "beta", "moving_mean"):
            values[f"{of_bn}/{name}"] = getattr(bn, name).numpy()
        variance = bn.moving_variance.numpy().astype(np.float64) + ours_ - theirs
        values[f"{of_bn}/moving_variance"] = variance
    fc = model.get_layer("fc")
    return {
        **values,
        "predictions/kernel": fc.kernel.numpy(),
        "predictions/bias": fc.bias.numpy(),
    }
