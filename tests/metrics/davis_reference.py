"""J and F of the official evaluation, spelled out pixel by pixel; slow on purpose."""

import math

import numpy as np


def reference_j(truth, predicted):
    intersection = union = 0
    for true_pixel, predicted_pixel in zip(truth.flat, predicted.flat, strict=True):
        intersection += bool(true_pixel and predicted_pixel)
        union += bool(true_pixel or predicted_pixel)
    return 1.0 if union == 0 else intersection / union


def reference_f(truth, predicted):
    height, width = truth.shape
    radius = math.ceil(0.008 * math.sqrt(height**2 + width**2))
    true_boundary, boundary = reference_boundary(truth), reference_boundary(predicted)
    true_count, count = int(true_boundary.sum()), int(boundary.sum())
    if count == 0 and true_count > 0:
        precision, recall = 1.0, 0.0
    elif count > 0 and true_count == 0:
        precision, recall = 0.0, 1.0
    elif count == 0 and true_count == 0:
        precision, recall = 1.0, 1.0
    else:
        precision = (boundary & reference_dilation(true_boundary, radius)).sum() / count
        recall = (true_boundary & reference_dilation(boundary, radius)).sum() / true_count
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def reference_boundary(mask):
    height, width = mask.shape
    boundary = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            pixel = mask[y, x]
            east = mask[y, x + 1] if x + 1 < width else False
            south = mask[y + 1, x] if y + 1 < height else False
            south_east = mask[y + 1, x + 1] if y + 1 < height and x + 1 < width else False
            if y == height - 1 and x == width - 1:
                boundary[y, x] = False
            elif x == width - 1:
                boundary[y, x] = pixel ^ south
            elif y == height - 1:
                boundary[y, x] = pixel ^ east
            else:
                boundary[y, x] = (pixel ^ east) | (pixel ^ south) | (pixel ^ south_east)
    return boundary


def reference_dilation(boundary, radius):
    height, width = boundary.shape
    padded = np.pad(boundary, radius)
    grown = np.zeros_like(boundary)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dx**2 + dy**2 <= radius**2:
                grown |= padded[
                    radius + dy : radius + dy + height, radius + dx : radius + dx + width
                ]
    return grown
