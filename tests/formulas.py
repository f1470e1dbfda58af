"""Layers by their formulas, in NumPy."""

import numpy as np


def convolve(images, kernel, stride):
    """Cross-correlation with (size - 1) // 2 zeros on every side, by its definition."""
    size = kernel.shape[0]
    pad = size // 2
    padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    height, width = ((side - 1) // stride + 1 for side in images.shape[1:3])
    out = np.zeros((len(images), height, width, kernel.shape[-1]))
    for y in range(height):
        for x in range(width):
            top, left = y * stride, x * stride
            window = padded[:, top : top + size, left : left + size]
            out[:, y, x] = np.tensordot(window, kernel, axes=3)
    return out


def normalize(x, bn):
    gamma, beta, mean, variance = (np.array(weight, np.float64) for weight in bn.get_weights())
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def randomize(layer, rng):
    for variable in layer.variables:
        low = 0.5 if "variance" in variable.path else -0.5
        variable.assign(rng.uniform(low, low + 1, variable.shape))
