"""The training recipes: what a run does from its first step to its last, as frozen dataclasses.

`joint-r50` is the paper's (Sec. 3.6 and 4.1) with the values of its code where the two disagree;
`joint-r50-as-printed` takes learning rate, losses and order of frames from the paper's words
instead; `joint-r50-imagenet` starts from torchvision's backbone, for which the strides move, and
`joint-r50-davis`, the set-up of the lower half of Table 4, does so on DAVIS alone. `joint-lite`
trains the bundled network, from a backbone that knows ImageNet, in hours of a CPU, and
`joint-lite-finish` continues it, with larger crops and harder scenes; `joint-lite-cuda` does it in
minutes of a large GPU; `joint-lite-short` is a few minutes of a CPU, to compare one thing with
another.
"""

from collections.abc import Mapping
from dataclasses import replace

from jointvos.training.train_config import Chances, Phase, Stage, TrainConfig

# The paper's

PAPER_DATA = (Phase(1.0, (480, 832), 4, 20, {"ytvos": 6.0, "davis": 1.0}),)
DAVIS_DATA = (Phase(1.0, (480, 832), 4, 20, {"davis": 1.0}),)
NEW_PARTS = {
    "backbone.": 0.0,
    "heads.": 0.2,
    "transduction.": 0.2,
    "label_encoder.": 2.0,
}  # of 1e-4, which the decoder and the learned regularisation have
FROZEN_STEM = {"backbone.conv1.": 0.0, "backbone.bn1.": 0.0, "backbone.layer1.": 0.0}

JOINT_R50 = TrainConfig(
    model="joint-r50",
    data="segments",
    initial_weights=("mask-rcnn-r50-backbone",),
    stages=(
        Stage(90_000, 1e-4, PAPER_DATA, NEW_PARTS, schedule="drops", drops=(40 / 90, 80 / 90)),
        Stage(90_000, 2e-5, PAPER_DATA, FROZEN_STEM, schedule="drops", drops=(25 / 90, 75 / 90)),
    ),
    checkpoint_steps=200,
)

JOINT_R50_IMAGENET = replace(
    JOINT_R50, model="joint-r50-imagenet", initial_weights=("imagenet-r50",)
)

# The bundled model's

LABEL_ENCODER_AND_REG = {"label_encoder.": 0.3, "learner.filter_reg": 0.02}
"""The label encoder grows fast; the regularisation would drift through zero."""

FROZEN_HALF = {"backbone.stem.": 0.0, "backbone.blocks.0.": 0.0}
"""What looks at half the resolution: ImageNet taught it enough, and it costs a tenth of a step."""

MIXED = {"video": 0.6, "stills": 0.2, "people": 0.15, "static": 0.05}
DIVERSE = {"video": 0.45, "stills": 0.3, "people": 0.12, "procedural": 0.08, "static": 0.05}
TOWARDS_VIDEO = {"video": 0.55, "stills": 0.25, "people": 0.12, "procedural": 0.05, "static": 0.03}
MOSTLY_VIDEO = {"video": 0.58, "stills": 0.26, "people": 0.1, "procedural": 0.04, "static": 0.02}

LITE_STAGE = Stage(
    steps=1000,
    learning_rate=1e-3,
    warmup_steps=20,
    rates={"backbone.": 0.2, **FROZEN_HALF, **LABEL_ENCODER_AND_REG},
    lovasz_start=0.05,
    lovasz_full=0.12,
    phases=(
        Phase(0.10, (160, 288), 4, 8, MIXED),
        Phase(0.22, (240, 416), 4, 6, DIVERSE),
        Phase(0.15, (240, 416), 8, 3, DIVERSE),
        Phase(0.33, (384, 672), 4, 4, TOWARDS_VIDEO),
        Phase(0.20, (480, 832), 5, 2, MOSTLY_VIDEO),
    ),
)

JOINT_LITE = TrainConfig(
    model="joint-lite",
    data="synthesis",
    initial_weights=("imagenet-lite0",),
    stages=(LITE_STAGE,),
    minutes=240.0,
    weight_decay=0.01,
    clip_norm=1.0,
    segmentation_weight=1.0,
    safety_cross_entropy=0.25,
    cosine_weight=0.01,
    auxiliary_weight=0.3,
    branch_drop=0.2,
    ema_decay=0.99,
    validation_steps=10_000,
)

JOINT_LITE_FINISH = replace(
    JOINT_LITE,
    minutes=80.0,
    branch_drop=0.15,
    chances=Chances(fast=0.3, video_twins=0.4),
    stages=(
        replace(
            LITE_STAGE,
            learning_rate=5e-4,
            lovasz_start=0.0,
            lovasz_full=0.0,
            phases=(
                Phase(0.2, (240, 416), 8, 3, DIVERSE),
                Phase(0.4, (384, 672), 5, 3, MOSTLY_VIDEO),
                Phase(0.4, (480, 832), 5, 2, MOSTLY_VIDEO),
            ),
        ),
    ),
)
"""Continues a model of `JOINT_LITE`: longer, larger, with harder scenes.

Without `branch_drop` the induction branch forgets how to find targets alone.
"""

JOINT_LITE_CUDA = replace(
    JOINT_LITE,
    minutes=7.0,
    precision="bf16",
    ema_decay=0.995,
    checkpoint_steps=200,
    stages=(
        replace(
            LITE_STAGE,
            warmup_steps=50,
            phases=(
                Phase(0.40, (240, 416), 4, 40, DIVERSE),
                Phase(0.30, (384, 672), 4, 20, TOWARDS_VIDEO),
                Phase(0.30, (480, 832), 6, 10, MOSTLY_VIDEO),
            ),
        ),
    ),
)

JOINT_LITE_SHORT = replace(
    JOINT_LITE,
    minutes=0.0,
    ema_decay=0.95,
    branch_drop=0.0,
    stages=(
        replace(
            LITE_STAGE,
            steps=160,
            lovasz_start=0.42,
            lovasz_full=0.58,
            phases=(Phase(1.0, (112, 192), 4, 6, {"video": 1.0}),),
        ),
    ),
)

RECIPES: Mapping[str, TrainConfig] = {
    "joint-r50": JOINT_R50,
    "joint-r50-as-printed": replace(
        JOINT_R50,
        stages=(
            replace(JOINT_R50.stages[0], learning_rate=0.01, rates={"backbone.": 0.0}),
            replace(JOINT_R50.stages[1], learning_rate=4e-4, rates={}),  # 0.01, divided twice
        ),
        lovasz_per_frame=True,
        segmentation_weight=1.0,
        cosine_weight=0.01,
        causal=False,
    ),
    "joint-r50-imagenet": JOINT_R50_IMAGENET,
    "joint-r50-davis": replace(
        JOINT_R50_IMAGENET,
        stages=tuple(replace(stage, phases=DAVIS_DATA) for stage in JOINT_R50.stages),
    ),
    "joint-lite": JOINT_LITE,
    "joint-lite-finish": JOINT_LITE_FINISH,
    "joint-lite-cuda": JOINT_LITE_CUDA,
    "joint-lite-short": JOINT_LITE_SHORT,
}
