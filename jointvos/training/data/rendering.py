"""Batches of shots drawn on a torch device: what `augment.develop` does one by one on the CPU.

Every picture and mask is sampled exactly where its matrix and waves point; OpenCV rounds positions
to 1/32 pixel and colours to whole levels in between, so pictures differ by about a level.
"""

import io
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from jointvos.training.data.augment import Fault, Shot, smear_kernel
from jointvos.training.data.layers import Floats, Layer, Size, Waves
from jointvos.training.data.mini_sequences import MiniSequences

CHUNK = 64  # shots that are drawn at once: at 288x512 about 1 GB
FROM_RGB = np.array(  # to Y, Cb, Cr; red and blue change places as OpenCV takes RGB for BGR
    [[0.114, 0.587, 0.299], [0.5, -0.331264, -0.168736], [-0.081312, -0.418688, 0.5]]
)
DCT = np.cos(np.pi / 16 * np.arange(8)[:, None] * (2 * np.arange(8) + 1)) / 2
DCT[0] /= np.sqrt(2)


class DevicePictures:
    """Copies of pictures and masks on a device, each kept there for as long as its original lives.

    So the pictures of a pack are sent once, and what was made for one batch goes with it.

    Args:
        device: Where the copies are.
        budget: Bytes that may be kept; a quarter of what is free unless given.
    """

    def __init__(self, device: torch.device, budget: int | None = None) -> None:
        if budget is None:
            on_cuda = device.type == "cuda"
            budget = torch.cuda.mem_get_info(device)[0] // 4 if on_cuda else 2**30
        self.device = device
        self.budget = budget
        self.stream: torch.cuda.Stream | None = None
        if device.type == "cuda":  # uploads wait for their stream, and training keeps its own busy
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._kept: dict[int, tuple[weakref.ref[NDArray[np.uint8]], Tensor]] = {}

    def fetch(self, originals: Iterable[NDArray[np.uint8]]) -> dict[int, Tensor]:
        """The copies by the `id` of the originals; what is missing is sent in one piece."""
        wanted = {id(original): original for original in originals}
        kept = {key: item for key, item in self._kept.items() if item[0]() is not None}
        room = self.budget - sum(copy.nbytes for _, copy in kept.values())
        copies = {key: kept[key][1] for key in wanted if key in kept}
        missing = {key: original for key, original in wanted.items() if key not in copies}
        if missing:
            packed = np.concatenate([original.reshape(-1) for original in missing.values()])
            sizes = [original.size for original in missing.values()]
            parts = torch.split(torch.from_numpy(packed).to(self.device), sizes)
            for (key, original), part in zip(missing.items(), parts, strict=True):
                copies[key] = part.clone().view(original.shape)  # does not hold on to the others
                if original.nbytes <= room:
                    room -= original.nbytes
                    kept[key] = weakref.ref(original), copies[key]
        self._kept = kept
        return copies


def render_batch(
    shots: Sequence[Sequence[Shot]], crop_size: Size, pictures: DevicePictures
) -> MiniSequences:
    """Draw B times T shots.

    Args:
        shots: B plans of T shots each.
        crop_size: H, W of the crops.
        pictures: What is already on the device on which to draw.

    Returns:
        The batch on that device.
    """
    with torch.cuda.stream(pictures.stream):
        images, masks = _drawn([shot for row in shots for shot in row], crop_size, pictures)
    if pictures.stream is not None:
        pictures.stream.synchronize()
        for result in (images, masks):
            result.record_stream(torch.cuda.current_stream(pictures.device))
    return MiniSequences(*(x.view(len(shots), -1, *x.shape[1:]) for x in (images, masks)))


def _drawn(
    shots: Sequence[Shot], crop_size: Size, pictures: DevicePictures
) -> tuple[Tensor, Tensor]:
    """Images uint8 [N,3,H,W] and masks [N,1,H,W] in {0,1}."""
    layers = [layer for shot in shots for layer in shot.layers]
    objects = (layer.mask for layer in layers if layer.mask is not None)
    copies = pictures.fetch([*(layer.image for layer in layers), *objects])
    images = torch.empty((len(shots), 3, *crop_size), dtype=torch.uint8, device=pictures.device)
    masks = torch.empty((len(shots), 1, *crop_size), device=pictures.device)
    for start in range(0, len(shots), CHUNK):
        some, part = shots[start : start + CHUNK], slice(start, start + CHUNK)
        drawn, masks[part] = _stacked(some, crop_size, copies, pictures.device)
        colours = _tensor([shot.colours for shot in some], drawn)
        drawn = torch.baddbmm(colours[:, :, 3:], colours[:, :, :3], drawn.flatten(2)).view_as(drawn)
        faults = [shot.fault for shot in some]
        drawn = _spoil(drawn.clamp(0, 255).round(), faults)
        drawn, masks[part] = _dragged(drawn, masks[part], faults)
        images[part] = drawn.clamp(0, 255).round()
    return images, masks


def _tensor(values: Sequence[NDArray[np.generic]], like: Tensor) -> Tensor:
    return torch.from_numpy(np.stack(values).astype(np.float32)).to(like.device)


# Layers


def _stacked(
    shots: Sequence[Shot], crop_size: Size, copies: Mapping[int, Tensor], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Pictures [N,3,H,W], 0 to 255, and visible targets [N,1,H,W] in {0,1}: as in `render`."""
    nothing = torch.zeros((1, 1), dtype=torch.uint8, device=device)
    canvas = torch.zeros((len(shots), 3, *crop_size), device=device)
    target = torch.zeros((len(shots), 1, *crop_size), device=device)
    for slot in range(max(len(shot.layers) for shot in shots)):
        present = [i for i, shot in enumerate(shots) if slot < len(shot.layers)]
        stack = [shots[i].layers[slot] for i in present]
        points = _positions(stack, [shots[i].to_scene for i in present], crop_size, canvas)
        over = _sample([copies[id(layer.image)] for layer in stack], points, margin=0)
        object_masks = [nothing if x.mask is None else copies[id(x.mask)] for x in stack]
        alpha = _sample(object_masks, points, margin=1)
        rows = torch.tensor(present, device=device)
        cut, is_target = (
            torch.tensor(flags, device=device)[:, None, None, None]
            for flags in ([x.cut for x in stack], [x.is_target for x in stack])
        )
        weight = torch.where(cut, alpha / 255, 1.0)
        canvas[rows] = torch.lerp(canvas[rows], over, weight)
        here = (alpha >= 127.5).float()
        target[rows] = torch.where(is_target, here, target[rows] * (1 - here * cut))
    return canvas, target


def _positions(
    layers: Sequence[Layer], to_scene: Sequence[Floats], crop_size: Size, like: Tensor
) -> Tensor:
    """Source pixels (x, y) [N,2,H,W] of all pixels of the crops."""
    chain = zip(layers, to_scene, strict=True)
    matrices = _tensor([layer.to_source @ matrix for layer, matrix in chain], like)
    y = torch.arange(crop_size[0], dtype=torch.float32, device=like.device)[:, None]
    x = torch.arange(crop_size[1], dtype=torch.float32, device=like.device)
    a, b, c = matrices[..., None, None].unbind(2)
    projected = a * x + b * y + c  # no matmul: positions need more digits than TF32 has
    points = projected[:, :2] / projected[:, 2:]
    waves = {i: layer.waves for i, layer in enumerate(layers) if layer.waves is not None}
    if waves:
        rows = torch.tensor(list(waves), device=like.device)
        points[rows] += _bent(points[rows], list(waves.values()))
    return points


def _bent(points: Tensor, waves: Sequence[Waves]) -> Tensor:
    """`Waves.offset` [N,2,H,W] at points [N,2,H,W], one set of waves per crop."""
    frequencies = _tensor([wave.frequencies for wave in waves], points)[..., None, None]
    phases = _tensor([wave.phases for wave in waves], points)[..., None, None]
    amplitudes = _tensor([wave.amplitudes for wave in waves], points)[..., None, None]
    offset = torch.zeros_like(points)
    for k in range(phases.shape[1]):
        angle = (frequencies[:, k] * points).sum(1) + phases[:, k]
        offset += amplitudes[:, k] * angle.sin()[:, None]
    return offset


def _sample(sources: Sequence[Tensor], points: Tensor, margin: int) -> Tensor:
    """Each source [h,w] or [h,w,C] at its points [2,H,W]: bilinear, [N,C,H,W].

    All of them are laid out in one tall picture. Beyond its border a source goes on as it ends or,
    with a margin of 1, fades to zero within a pixel.
    """
    tiles = {id(source): source for source in sources}
    place = {key: i for i, key in enumerate(tiles)}
    pitch = max(source.shape[0] for source in sources) + 2
    width = max(source.shape[1] for source in sources) + 2
    channels = sources[0][0, 0].numel()
    sheet = points.new_zeros(channels, len(tiles), pitch, width)
    for i, tile in enumerate(tiles.values()):
        h, w = tile.shape[:2]
        sheet[:, i, 1 : h + 1, 1 : w + 1] = tile.view(h, w, channels).permute(2, 0, 1)
    last = _tensor([np.array([s.shape[1], s.shape[0]]) for s in sources], points) - 1 + margin
    points = torch.minimum(points, last[:, :, None, None]).clamp(min=-margin) + 1
    first_row = torch.tensor([pitch * place[id(source)] for source in sources])
    points[:, 1] += first_row.to(points.device)[:, None, None]
    span = points.new_tensor([width - 1, pitch * len(tiles) - 1])
    grid = points.permute(0, 2, 3, 1) * (2 / span) - 1
    sampled = F.grid_sample(sheet.flatten(1, 2)[None], grid.flatten(0, 1)[None], align_corners=True)
    return sampled.view(channels, len(sources), *points.shape[2:]).transpose(0, 1)


# Faults


def _spoil(pictures: Tensor, faults: Sequence[Fault | None]) -> Tensor:
    """Pictures [N,3,H,W] with their faults, those of one kind at once."""
    ways = {("smear", "blur"): _blurred, ("jpeg",): _squeezed, ("noise",): _noisy}
    for kinds, spoil in ways.items():
        chosen = {i: f for i, f in enumerate(faults) if f is not None and f.kind in kinds}
        if chosen:
            rows = torch.tensor(list(chosen), device=pictures.device)
            pictures[rows] = spoil(pictures[rows], list(chosen.values()))
    return pictures


def _dragged(
    pictures: Tensor, masks: Tensor, faults: Sequence[Fault | None]
) -> tuple[Tensor, Tensor]:
    """Pictures and masks [N,1,H,W] with the target smeared where that is the fault."""
    chosen = {i: f for i, f in enumerate(faults) if f is not None and f.kind == "drag"}
    if chosen:
        rows = torch.tensor(list(chosen), device=pictures.device)
        targets = torch.cat((pictures[rows] * masks[rows], masks[rows]), dim=1)
        moved = _blurred(targets, list(chosen.values()))
        pictures[rows] = moved[:, :3] + (1 - moved[:, 3:]) * pictures[rows]
        masks[rows] = (moved[:, 3:] > 0.5).to(masks)
    return pictures, masks


def _blurred(pictures: Tensor, faults: Sequence[Fault]) -> Tensor:
    kernels = [_gaussian(f) if f.kind == "blur" else smear_kernel(f) for f in faults]
    reach = max(len(kernel) for kernel in kernels) // 2
    channels = pictures.shape[1]
    weights = np.zeros((len(kernels), channels, 2 * reach + 1, 2 * reach + 1), np.float32)
    for weight, kernel in zip(weights, kernels, strict=True):
        part = slice(reach - len(kernel) // 2, reach - len(kernel) // 2 + len(kernel))
        weight[:, part, part] = kernel
    padded = F.pad(pictures, (reach,) * 4, mode="reflect").flatten(0, 1)
    stacked = torch.from_numpy(weights).to(pictures.device).flatten(0, 1)[:, None]
    return F.conv2d(padded[None], stacked, groups=len(padded)).view_as(pictures)


def _gaussian(fault: Fault) -> NDArray[np.float32]:
    """The weights [K,K] that OpenCV takes for 8 bit."""
    line = cv2.getGaussianKernel(round(6 * fault.strength + 1) | 1, fault.strength)
    return np.asarray(line @ line.T, np.float32)


def _noisy(pictures: Tensor, faults: Sequence[Fault]) -> Tensor:
    grains = [fault.grain for fault in faults if fault.grain is not None]
    return pictures + _tensor(grains, pictures)[:, None]


def _squeezed(pictures: Tensor, faults: Sequence[Fault]) -> Tensor:
    """What JPEG files of 8x8 blocks and colours at half the resolution would keep."""
    height, width = pictures.shape[2:]
    tables = _tensor([_quantisation(int(fault.strength)) for fault in faults], pictures)
    from_rgb, to_rgb = _tensor([FROM_RGB, np.linalg.inv(FROM_RGB)], pictures)
    padded = F.pad(pictures, (0, -width % 16, 0, -height % 16), mode="replicate")
    planes = torch.einsum("dc,nchw->ndhw", from_rgb, padded).round()
    luma = _quantised(planes[:, :1] - 128, tables[:, 0]) + 128
    chroma = _quantised(F.avg_pool2d(planes[:, 1:], 2).round(), tables[:, 1])
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear")
    planes = torch.cat([luma, chroma], dim=1)[..., :height, :width]
    return torch.einsum("dc,nchw->ndhw", to_rgb, planes)


def _quantised(planes: Tensor, tables: Tensor) -> Tensor:
    """Planes [N,C,H,W] with the DCT of each 8x8 block in steps of a table [N,8,8]."""
    cosines = _tensor([DCT], planes)[0]
    number, channels, height, width = planes.shape
    blocks = planes.reshape(number, channels, height // 8, 8, width // 8, 8)
    steps = tables[:, None, None, :, None]
    waves = torch.einsum("ua,ncyaxb,vb->ncyuxv", cosines, blocks, cosines)
    waves = (waves / steps).round() * steps
    return torch.einsum("ua,ncyuxv,vb->ncyaxb", cosines, waves, cosines).reshape(planes.shape)


@cache
def _quantisation(quality: int) -> NDArray[np.float64]:
    """The tables [2,8,8] that OpenCV's encoder takes, of luma and chroma."""
    block = np.zeros((8, 8, 3), np.uint8)
    file = cv2.imencode(".jpg", block, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    tables = JpegImageFile(io.BytesIO(file.tobytes())).quantization
    return np.array([tables[0], tables[1]], np.float64).reshape(2, 8, 8)
