"""Region similarity J: how much of two masks is shared."""

import numpy as np
from numpy.typing import NDArray


def region_similarity(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks, bool [Hv,Wv] of one size; 1 if both are empty."""
    union = np.count_nonzero(truth | predicted)
    return np.count_nonzero(truth & predicted) / union if union else 1.0
