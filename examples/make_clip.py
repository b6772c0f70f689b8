"""Render the example clip and its exact ground truth: two reef fish cross, a look-alike swims near.

Everything is procedural and seeded. A clownfish (id 1) passes in front of a blue tang (id 2); the
other clownfish is not an object. The fish are painted once, bent by a swimming wave, drawn at twice
the size at four moments of an open shutter and averaged; the truth comes from the same coverage (an
ID where it exceeds one half). Light stays linear until the last step.

    python examples/make_clip.py [--out FOLDER] [--look FOLDER --frames 0 30 ...]

Needs numpy, opencv, Pillow and PyAV; about three minutes on one core.
"""

import argparse
import math
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image
from scene.fish import Fish, Pose, blue_tang, clownfish, swim
from scene.light import Array, blur, color, mix, smooth
from scene.reef import LAYER_H, LAYER_W, grass, reef

WIDTH, HEIGHT, FPS, FRAMES = 854, 480, 24, 144
SHUTTER = (-0.21, -0.07, 0.07, 0.21)  # moments of one exposure, in frames
RATE = 48000  # audio samples per second
DEEP, OPEN, SURFACE = color("07426f"), color("2796b4"), color("a5e6e4")


def camera(n: float) -> tuple[float, float, float]:
    """Pan in x and y (pixels on the near reef) and zoom at frame `n`: a hand-held glide."""
    p = n / (FRAMES - 1)
    x = -95 + 190 * float(smooth(-0.15, 1.15, np.float64(p)))
    x += 3.2 * math.sin(0.071 * n) + 1.6 * math.sin(0.153 * n + 1)
    y = 3.0 * math.sin(0.055 * n + 0.6) + 1.7 * math.sin(0.127 * n)
    return x, y, 1 + 0.075 * p + 0.004 * math.sin(0.06 * n)


def dash(n: float) -> tuple[float, float]:
    """Share of the way covered and speed (1 at the peak) of a fish that darts in mid-clip."""
    p, s = n / (FRAMES - 1), 1 / (1 + math.exp(-(n - 71.5) / 8.8))
    return 0.34 * p + 0.66 * s, 4 * s * (1 - s)


def beat(n: float, slow: float, fast: float) -> float:
    """Phase of the tail: `slow` radians a frame, `fast` more at the peak of the dash."""
    return slow * n + fast * 4 * 8.8 / (1 + math.exp(-(n - 71.5) / 8.8))


def poses(n: float) -> tuple[Pose, Pose, Pose]:
    """Clownfish (id 1), tang (id 2) and look-alike at frame `n`."""
    p = n / (FRAMES - 1)
    _, y, zoom = camera(n)
    sway_x, sway_y = -0.8 * (3.2 * math.sin(0.071 * n)), -y
    way, speed = dash(n)
    one = Pose(
        162 + 520 * way + sway_x,
        290 - 26 * p + 7 * math.sin(0.05 * n + 0.5) + sway_y,
        252 * zoom,
        -0.07 + 0.05 * math.sin(0.05 * n + 1.8) + 0.05 * speed,
        beat(n, 0.27, 0.36),
        0.34 + 0.34 * speed,
        1,
    )
    two = Pose(
        684 - 520 * way + sway_x,
        234 + 24 * float(smooth(0.5, 1.0, np.float64(p))) + 6 * math.sin(0.043 * n + 2) + sway_y,
        286 * zoom,
        0.05 - 0.06 * math.sin(0.043 * n + 3.4) - 0.05 * speed,
        beat(n, 0.21, 0.30) + 1.3,
        0.30 + 0.34 * speed,
        -1,
    )
    other = Pose(
        300 + 250 * float(smooth(-0.1, 1.2, np.float64(p))) + sway_x,
        104 - 16 * math.sin(math.pi * p) + 5 * math.sin(0.06 * n) + 0.8 * sway_y,
        172 * zoom,
        0.06 * math.cos(0.06 * n) + 0.02,
        0.30 * n + 2.2,
        0.42,
        1,
    )
    return one, two, other


def exposure(fish: Fish, which: int, n: int) -> tuple[Array, Array]:
    """One fish averaged over the open shutter, HEIGHT x WIDTH: premultiplied RGBA, upward light."""
    moments = [poses(n + s)[which] for s in SHUTTER]
    reach = 0.62 * moments[0].length + 12
    x0, x1 = max(int(moments[0].x - reach), 0), min(int(moments[0].x + reach), WIDTH)
    y0 = max(int(moments[0].y - 0.62 * reach), 0)
    y1 = min(int(moments[0].y + 0.62 * reach), HEIGHT)
    planes = np.mgrid[2 * y0 : 2 * y1, 2 * x0 : 2 * x1].astype(np.float32)[::-1] + 0.5
    image = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    upward = np.zeros((HEIGHT, WIDTH), np.float32)
    for pose in moments:
        patch, up = swim(fish, pose, planes)
        size = x1 - x0, y1 - y0
        image[y0:y1, x0:x1] += cv2.resize(patch, size, interpolation=cv2.INTER_AREA) / len(moments)
        upward[y0:y1, x0:x1] += cv2.resize(up, size, interpolation=cv2.INTER_AREA) / len(moments)
    return image, upward


class Ocean:
    """The place: painted once, then photographed frame by frame."""

    def __init__(self) -> None:
        x = np.arange(LAYER_W)

        def mound(center: float, width: float, height: float) -> Array:
            return height * np.exp(-(((x - center) / width) ** 2))

        far = 430 - mound(300, 190, 120) - mound(900, 260, 90) + 8 * np.sin(x / 37)
        mid = 485 - mound(130, 200, 105) - mound(690, 130, 36) - mound(1080, 210, 130)
        near = 548 - mound(210, 190, 70) - mound(1060, 200, 82) + 9 * np.sin(x / 55)
        self.layers = [
            (0.30, self._sink(reef(11, far, (34, 60), 15, 2), 0.80, 3.4)),
            (0.58, self._sink(reef(23, mid, (36, 66), 15, 3), 0.42, 1.5)),
            (1.0, self._sink(reef(38, near, (36, 64), 16, 3), 0.10, 0.5)),
        ]
        self.lens = 1.5, grass(51, ((120, 185), (225, 150), (1075, 165), (1165, 195)))
        self.fish = clownfish(1, 0.0), blue_tang(2), clownfish(9, 0.014)
        rng = np.random.default_rng(77)
        self.waves = [
            (k * math.cos(a), k * math.sin(a), 0.055 * math.sqrt(k * 900), ph, 1 / k**1.55)
            for k, a, ph in zip(
                rng.uniform(0.016, 0.085, 20),
                rng.uniform(0, 6.3, 20),
                rng.uniform(0, 6.3, 20),
                strict=True,
            )
        ]
        self.shafts = rng.uniform((10, -0.05, 0), (90, 0.05, 6.3), (14, 3))
        self.motes = rng.uniform((0, 0, 0.35, 0), (1, 1, 1.7, 6.3), (130, 4))
        self.noise = np.random.default_rng(5)

    @staticmethod
    def _sink(layer: Array, haze: float, sigma: float) -> Array:
        """Veil a layer with water and put it out of focus."""
        veil = (0.45 * DEEP + 0.55 * OPEN) * layer[..., 3:]
        out = layer.copy()
        out[..., :3] = layer[..., :3] * (1 - haze) * np.array([0.80, 1.0, 1.02]) + veil * haze
        return blur(out.astype(np.float32), sigma)

    def caustics(self, x: Array, y: Array, n: float) -> Array:
        """Light focused by waves: inverse area of a bundle of refracted rays, mean about 1."""
        xx, yy, xy = (np.zeros_like(x) for _ in range(3))
        for kx, ky, w, phase, amp in self.waves:
            wave = amp * np.sin(kx * x + ky * y + w * n + phase)
            xx, yy, xy = xx + kx * kx * wave, yy + ky * ky * wave, xy + kx * ky * wave
        area = np.abs((1 + 2.1 * xx) * (1 + 2.1 * yy) - (2.1 * xy) ** 2)
        light = 1 / (area + 0.35)
        return np.clip(light / light.mean(), 0, 3.2)

    def view(self, layer: Array, depth: float, n: float) -> Array:
        """A layer as the camera sees it."""
        x, y, zoom = camera(n)
        s = 1 + (zoom - 1) * depth
        tx = WIDTH / 2 - s * (LAYER_W / 2 + depth * x)
        ty = HEIGHT / 2 - s * (LAYER_H / 2 + depth * y)
        return cv2.warpAffine(layer, np.array([[s, 0, tx], [0, s, ty]]), (WIDTH, HEIGHT))

    def water(self, n: int, shine: Array) -> tuple[Array, Array]:
        """Open water and the light shafts in it (one channel)."""
        yy, xx = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
        x, _, _ = camera(n)
        fall = yy / HEIGHT + 0.10 * ((xx + 0.2 * x) / WIDTH - 0.3)
        image = mix(np.broadcast_to(OPEN, (HEIGHT, WIDTH, 3)), DEEP, smooth(0.25, 1.05, fall))
        sun = np.hypot((xx - 250 + 0.2 * x) / 420, (yy + 60) / 300)
        image = mix(image, SURFACE, 0.85 * np.exp(-(sun**2) * 1.3))
        image = image + (0.16 * shine * smooth(0.22, -0.02, fall))[..., None]
        angle = np.arctan2(xx - 230 + 0.2 * x, yy + 190)
        rays = np.zeros_like(angle)
        for k, drift, phase in self.shafts:
            rays += np.sin(k * angle + drift * n + phase) / len(self.shafts) ** 0.5
        return image, smooth(0.1, 1.9, rays) * np.exp(-(sun**1.2) * 0.75)

    def shoot(self, n: int) -> tuple[Array, Array]:
        """Frame `n` as uint8 RGB and its truth, uint8 IDs; both HEIGHT x WIDTH."""
        x, y, _ = camera(n)
        gy, gx = np.mgrid[0:HEIGHT:3, 0:WIDTH:3].astype(np.float32)
        full = WIDTH, HEIGHT
        floor = cv2.resize(
            self.caustics(gx + x, 2.2 * (gy + y), n), full, interpolation=cv2.INTER_CUBIC
        )
        top = cv2.resize(self.caustics(0.7 * (gx + 0.2 * x), 5 * gy, n), full)
        image, shafts = self.water(n, top)
        one, two, other = (exposure(fish, k, n) for k, fish in enumerate(self.fish))
        for depth, layer in self.layers:
            if depth == 1.0:  # the look-alike swims between the middle and the near reef
                image = self.lay(image, other, floor, 0.24)
            seen = self.view(layer, depth, n)
            light = 1 + (0.2 + 0.55 * depth**2) * (floor[..., None] - 1) * 0.75
            image = seen[..., :3] * light + image * (1 - seen[..., 3:])
            image = image + (0.10 * shafts)[..., None] * SURFACE
        for k in (two, one):  # a soft shadow on the reef below
            shadow = blur(
                cv2.warpAffine(k[0][..., 3], np.float64([[1, 0, -30], [0, 0.4, 330]]), full), 16
            )
            image = image * (1 - 0.45 * shadow * seen[..., 3])[..., None]
        back = two[0].copy()
        cast = cv2.warpAffine(one[0][..., 3], np.float64([[1, 0, -9], [0, 1, 16]]), full)
        back[..., :3] *= (1 - 0.42 * blur(cast, 8))[..., None]
        image = self.lay(image, (back, two[1]), floor, 0.07)
        image = self.lay(image, one, floor, 0.03)
        lens = self.view(self.lens[1], self.lens[0], n)
        image = lens[..., :3] + image * (1 - lens[..., 3:])
        image = self.develop(self.drift(image + (0.13 * shafts)[..., None] * SURFACE, n))

        clear = 1 - lens[..., 3]
        first = one[0][..., 3] * clear
        second = two[0][..., 3] * (1 - one[0][..., 3]) * clear
        return image, np.where(first > 0.5, 1, np.where(second > 0.5, 2, 0)).astype(np.uint8)

    @staticmethod
    def lay(image: Array, fish: tuple[Array, Array], floor: Array, haze: float) -> Array:
        """Put a fish into the water, with caustics on its back and a veil for its distance."""
        rgba, upward = fish
        lit = rgba[..., :3] * (0.94 + 0.55 * upward * (floor - 0.75))[..., None]
        lit = lit * (1 - haze) + haze * rgba[..., 3:] * (0.3 * DEEP + 0.7 * OPEN)
        return lit + image * (1 - rgba[..., 3:])

    def drift(self, image: Array, n: int) -> Array:
        """Specks of plankton, soft when near the lens."""
        x, y, _ = camera(n)
        glow = np.zeros((HEIGHT, WIDTH), np.float32)
        for u, v, depth, phase in self.motes:
            px = (u * 1000 - depth * x + 7 * math.sin(0.03 * n + phase)) % 1000 - 70
            py = (v * 560 - depth * y + 0.12 * n) % 560 - 40
            radius = 0.8 + 2.6 * max(depth - 1.1, 0) ** 1.3 * 2
            spot = round(px * 16), round(py * 16)
            cv2.circle(glow, spot, round(radius * 16), 0.9 / (1 + radius**1.6), -1, cv2.LINE_8, 4)
        return image + (0.22 * blur(glow, 0.9))[..., None] * SURFACE

    def develop(self, image: Array) -> Array:
        """Bloom, vignette, video curve and grain."""
        yy, xx = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
        image = image + 0.10 * blur(np.clip(image - 0.55, 0, 2).astype(np.float32), 11)
        image = image * (1.04 - 0.30 * smooth(0.5, 1.9, xx**2 + yy**2))[..., None]
        film = np.clip(1 - np.exp(-1.42 * image), 0, 1) ** (1 / 2.2)
        film = film + 0.55 * film * (1 - film) * (film - 0.42)
        grain = blur(self.noise.standard_normal((HEIGHT, WIDTH)).astype(np.float32), 0.7)
        film = film + 0.012 * grain[..., None]
        return np.clip(film * 255 + 0.5, 0, 255).astype(np.uint8)


def ambience() -> Array:
    """Six seconds of soft water and a slow chord: float32, 1 x samples."""
    count = RATE * FRAMES // FPS
    t = np.arange(count) / RATE
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    wash = np.fft.irfft(spectrum * np.exp(-hertz / 260) * (hertz > 40), count)
    sound = 0.05 * wash / wash.std() * (1 + 0.4 * np.sin(2 * math.pi * 0.3 * t))
    for k, tone in enumerate((110.0, 164.81, 220.0, 277.18)):
        sound += (
            0.035 * np.sin(2 * math.pi * tone * t) * (1 + 0.5 * np.sin(0.9 * t * (k + 2) / 3 + k))
        )
    for start in rng.uniform(0.4, 5.6, 9):  # bubbles
        u = np.clip(t - start, 0, None)
        sound += 0.05 * np.sin(2 * math.pi * (420 * u + 1500 * u * u)) * np.exp(-u * 26) * (u > 0)
    sound *= np.clip(t / 0.5, 0, 1) * np.clip((t[-1] - t) / 0.8, 0, 1)
    return np.clip(sound, -0.9, 0.9).astype(np.float32)[None]


def encode(ocean: Ocean, out: Path) -> None:
    """Write the clip, the truth of every frame and the first mask."""
    with (
        av.open(f"file:{out / 'crossing.mp4'}", "w", options={"movflags": "+faststart"}) as clip,
        av.open(f"file:{out / 'crossing_truth.mkv'}", "w") as truth,
    ):
        video = clip.add_stream("libx264", FPS, options={"crf": "20", "preset": "slow"})
        lossless = truth.add_stream("ffv1", FPS, options={"level": "3", "context": "1", "g": "144"})
        video.pix_fmt, lossless.pix_fmt = "yuv420p", "gray"
        for stream in (video, lossless):
            stream.width, stream.height, stream.codec_context.thread_count = WIDTH, HEIGHT, 1
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # bt709
        context.color_range = 1  # limited
        audio = clip.add_stream("aac", RATE, layout="mono")
        audio.bit_rate = 64000
        for n, (image, ids) in enumerate(ocean.shoot(n) for n in range(FRAMES)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(
                format="yuv420p",
                dst_colorspace="ITU709",
                dst_color_range="MPEG",
                interpolation="BICUBIC",
            )
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            clip.mux(video.encode(frame))
            mask = av.VideoFrame.from_ndarray(ids, format="gray")
            mask.pts, mask.time_base = n, Fraction(1, FPS)
            truth.mux(lossless.encode(mask))
            if n == 0:
                save_mask(ids, out / "crossing_first.png")
        sound = av.AudioFrame.from_ndarray(ambience(), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = RATE, 0
        clip.mux(audio.encode(sound))
        for container, stream in ((clip, video), (clip, audio), (truth, lossless)):
            container.mux(stream.encode(None))


def davis_palette() -> list[int]:
    """256 RGB triples: the bits of an ID, three at a time, fill each channel from the top."""
    return [
        sum((i >> (3 * k + c) & 1) << (7 - k) for k in range(8))
        for i in range(256)
        for c in range(3)
    ]


def save_mask(ids: Array, path: Path) -> None:
    image = Image.fromarray(ids, mode="P")
    image.putpalette(davis_palette())
    image.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write")
    parser.add_argument("--look", type=Path, help="only write --frames as PNG into this folder")
    parser.add_argument("--frames", type=int, nargs="+", default=[0], help="frames for --look")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    ocean = Ocean()
    if arguments.look is None:
        encode(ocean, arguments.out)
        return
    arguments.look.mkdir(parents=True, exist_ok=True)
    for n in arguments.frames:
        image, ids = ocean.shoot(n)
        Image.fromarray(image).save(arguments.look / f"{n:03d}.png")
        save_mask(ids, arguments.look / f"{n:03d}_ids.png")


if __name__ == "__main__":
    main()
