"""The official definition of the DAVIS scores, written down plainly: whole arrays, one object
after the other, a whole sequence in memory. What the package computes must equal this exactly.
"""

import math

import cv2
import numpy as np

DISK_SHARE = 0.008


def boundary(mask):
    """Pixels that differ from the east, south or south-east neighbor; none past the border."""
    mask = mask.astype(bool)
    east, south, south_east = mask.copy(), mask.copy(), mask.copy()
    east[:, :-1] = mask[:, 1:]
    south[:-1, :] = mask[1:, :]
    south_east[:-1, :-1] = mask[1:, 1:]
    found = (mask ^ east) | (mask ^ south) | (mask ^ south_east)
    found[-1, :] = mask[-1, :] ^ east[-1, :]
    found[:, -1] = mask[:, -1] ^ south[:, -1]
    found[-1, -1] = False
    return found


def disk(radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x**2 + y**2 <= radius**2).astype(np.uint8)


def contour_f(truth, predicted):
    kernel = disk(math.ceil(DISK_SHARE * np.linalg.norm(truth.shape)))
    true_edge, edge = boundary(truth), boundary(predicted)
    true_near = cv2.dilate(true_edge.astype(np.uint8), kernel).astype(bool)
    near = cv2.dilate(edge.astype(np.uint8), kernel).astype(bool)
    true_count, count = np.sum(true_edge), np.sum(edge)
    if count == 0 and true_count > 0:
        precision, recall = 1.0, 0.0
    elif count > 0 and true_count == 0:
        precision, recall = 0.0, 1.0
    elif count == 0 and true_count == 0:
        precision, recall = 1.0, 1.0
    else:
        precision = np.sum(edge & true_near) / float(count)
        recall = np.sum(true_edge & near) / float(true_count)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def region_j(truth, predicted):
    intersection = np.sum(truth & predicted)
    union = np.sum(truth | predicted)
    return 1.0 if np.isclose(union, 0) else intersection / union


def statistics(values):
    """Mean, recall and decay; the bins of the decay as 8 bit, which is why 256 frames is all."""
    edges = np.round(np.linspace(1, len(values), 5) + 1e-10) - 1
    # As NumPy 1 had it: the sum of an 8 bit number and 1 does not overflow.
    edges = [int(edge) for edge in edges.astype(np.uint8)]
    bins = [values[edges[i] : edges[i + 1] + 1] for i in range(4)]
    return (
        float(np.nanmean(values)),
        float(np.nanmean(values > 0.5)),
        float(np.nanmean(bins[0]) - np.nanmean(bins[3])),
    )


def sequence_scores(truth, predicted, ids):
    """J and F, each [N-2] by object; first and last frame dropped.

    Args:
        truth: Labels, uint8 [N,H,W]; 255 is background.
        predicted: Labels, uint8 [N,H,W].
        ids: The objects.
    """
    found = {}
    for each in ids:
        true_masks, masks = (truth == each)[1:-1], (predicted == each)[1:-1]
        pairs = list(zip(true_masks, masks, strict=True))
        found[each] = (
            np.array([region_j(*pair) for pair in pairs]),
            np.array([contour_f(*pair) for pair in pairs]),
        )
    return found
