"""What becomes of probabilities: soft masks, images with transparency, other backgrounds."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageColor, ImageOps

from jointvos.errors import ConfigError, MediaOpenError, os_errors_as
from jointvos.files.images import IMAGE_ERRORS, image_reason, open_image, upright
from jointvos.types import FrameResult, Image, object_pixels

Alpha: TypeAlias = NDArray[np.float32]

Background: TypeAlias = Callable[[Image, Alpha], Image]
"""From a frame and the objects' probability, float32 [Hv,Wv], to what is shown behind them."""


def object_probabilities(result: FrameResult) -> Alpha:
    """Probability of every object of `result.objects`, float32 [O,Hv,Wv].

    Raises:
        ConfigError: The result carries none.
    """
    if result.probabilities is None:
        raise ConfigError(
            "the result carries no probabilities; make the session with "
            "VideoSegmenter(probabilities=True)"
        )
    return result.probabilities[1:]


def foreground(result: FrameResult) -> Alpha:
    """Probability that a pixel belongs to any object, float32 [Hv,Wv].

    Raises:
        ConfigError: The result carries no probabilities.
    """
    objects = object_probabilities(result)
    any_object: Alpha = np.clip(objects.sum(axis=0, dtype=np.float32), 0, 1)
    return any_object


def matte(result: FrameResult, object_id: int | None = None, *, hard: bool = False) -> Alpha:
    """How much of a pixel belongs to an object, or to any object, float32 [Hv,Wv].

    Args:
        result: What was found in a frame.
        object_id: The object; nothing belongs to one that has not been given yet.
        hard: Whether it is all or nothing, by the labels, instead of the probability.

    Raises:
        ConfigError: The edges are soft and the result carries no probabilities.
    """
    if hard:
        mask = object_pixels(result.labels) if object_id is None else result.labels == object_id
        return mask.astype(np.float32)
    if object_id is None:
        return foreground(result)
    known = [state.id for state in result.objects]
    if object_id not in known:
        return np.zeros(result.labels.shape, np.float32)
    alpha: Alpha = object_probabilities(result)[known.index(object_id)]
    return alpha


def to_8_bit(alpha: Alpha) -> NDArray[np.uint8]:
    """0 to 1 as 0 to 255, rounded."""
    values: NDArray[np.uint8] = np.rint(alpha * np.float32(255)).astype(np.uint8)
    return values


def to_16_bit(alpha: Alpha) -> NDArray[np.uint16]:
    """0 to 1 as 0 to 65535, rounded."""
    values: NDArray[np.uint16] = np.rint(alpha * np.float32(65535)).astype(np.uint16)
    return values


def cut_out(image: Image, alpha: Alpha) -> NDArray[np.uint8]:
    """The image with straight alpha, RGBA uint8 [H,W,4]; its colors are not changed."""
    return np.dstack([image, to_8_bit(alpha)])


def cut_out_16_bit(codes: NDArray[np.uint16], alpha: Alpha) -> NDArray[np.uint16]:
    """Codes of 16 bit with straight alpha, RGBA uint16 [H,W,4]; colors are not changed."""
    return np.dstack([codes, to_16_bit(alpha)])


def composite(image: Image, alpha: Alpha, behind: Image) -> Image:
    """The objects of an image before another one, RGB uint8 [Hv,Wv,3]."""
    weight = alpha[..., None]
    mixed = behind + weight * (image.astype(np.float32) - behind)
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def read_background(text: str) -> Background:
    """What to show behind the objects: "blur", a color ("green", "#00ff00") or an image.

    An image is scaled to fill the frame, and what is too much at two sides is cut off.

    Raises:
        ConfigError: It is none of them.
        MediaOpenError: The image is damaged.
    """
    if text == "blur":
        return _blurred
    try:
        still = PillowImage.new("RGB", (1, 1), ImageColor.getrgb(text)[:3])
    except ValueError:
        still = _picture(Path(text))

    @lru_cache(maxsize=1)
    def fitted(width: int, height: int) -> Image:
        return np.asarray(ImageOps.fit(still, (width, height), PillowImage.Resampling.BICUBIC))

    return lambda image, alpha: fitted(image.shape[1], image.shape[0])


def _picture(path: Path) -> PillowImage.Image:
    with os_errors_as(MediaOpenError):
        is_file = path.is_file()
    if not is_file:
        raise ConfigError(
            f"background {str(path)!r}: expected blur, a color such as green or #00ff00, "
            "or an image"
        )
    try:
        with open_image(path) as picture:
            return upright(picture).convert("RGB")
    except IMAGE_ERRORS as error:
        raise MediaOpenError(f"background {path}: {image_reason(error)}") from error


def _blurred(image: Image, alpha: Alpha) -> Image:
    """The frame out of focus; the objects' own colors do not run into it."""
    sigma = max(1.0, min(image.shape[:2]) / 40)
    weight = 1 - alpha + np.float32(1e-3)
    seen = cv2.GaussianBlur(image.astype(np.float32) * weight[..., None], (0, 0), sigma)
    known = cv2.GaussianBlur(weight, (0, 0), sigma)
    blurred: Image = np.rint(np.clip(seen / known[..., None], 0, 255)).astype(np.uint8)
    return blurred
