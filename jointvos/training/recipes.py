"""The training recipes: what a run does from its first step to its last, as frozen dataclasses.

`joint-r50` is the paper's (Sec. 3.6 and 4.1) with the values of its code where the two disagree;
`joint-r50-as-printed` takes the paper's words instead; `joint-r50-davis` is the set-up of the lower
half of Table 4. `joint-small` trains the bundled network from scratch in hours of CPU;
`joint-small-cuda` is meant for half an hour of a large GPU; `joint-small-short` is a few minutes,
to compare one thing with another.
"""

from collections.abc import Mapping
from dataclasses import replace

from jointvos.training.train_config import Phase, Stage, TrainConfig

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
    initial_weights=("mask-rcnn-r50-backbone", "imagenet-r50"),
    stages=(
        Stage(90_000, 1e-4, PAPER_DATA, NEW_PARTS, schedule="drops", drops=(40 / 90, 80 / 90)),
        Stage(90_000, 2e-5, PAPER_DATA, FROZEN_STEM, schedule="drops", drops=(25 / 90, 75 / 90)),
    ),
    checkpoint_steps=200,
)

# From scratch

LABEL_ENCODER_AND_REG = {"label_encoder.": 0.3, "learner.filter_reg": 0.02}
"""The label encoder grows fast; the regularisation would drift through zero."""

MIXED = {"video": 0.6, "stills": 0.2, "people": 0.15, "static": 0.05}
DIVERSE = {"video": 0.45, "stills": 0.3, "people": 0.12, "procedural": 0.08, "static": 0.05}
TOWARDS_VIDEO = {"video": 0.55, "stills": 0.25, "people": 0.12, "procedural": 0.05, "static": 0.03}
MOSTLY_VIDEO = {"video": 0.58, "stills": 0.26, "people": 0.1, "procedural": 0.04, "static": 0.02}

JOINT_SMALL = TrainConfig(
    model="joint-small",
    data="synthesis",
    weight_decay=0.01,
    clip_norm=1.0,
    segmentation_weight=1.0,
    safety_cross_entropy=0.25,
    cosine_weight=0.01,
    auxiliary_weight=0.3,
    ema_decay=0.99,
    validation_steps=200,
    stages=(
        Stage(
            steps=800,
            learning_rate=1e-3,
            warmup_steps=50,
            rates=LABEL_ENCODER_AND_REG,
            lovasz_start=0.42,
            lovasz_full=0.58,
            phases=(
                Phase(0.12, (160, 288), 4, 8, {"video": 1.0}),
                Phase(0.73, (160, 288), 4, 8, MIXED),
                Phase(0.15, (240, 416), 4, 8, {"video": 0.85, "people": 0.15}),
            ),
        ),
        Stage(
            steps=460,
            learning_rate=6e-4,
            warmup_steps=30,
            rates=LABEL_ENCODER_AND_REG,
            phases=(
                Phase(0.4, (192, 336), 4, 8, DIVERSE),
                Phase(0.28, (240, 416), 4, 8, TOWARDS_VIDEO),
                Phase(0.32, (384, 672), 4, 4, TOWARDS_VIDEO),
            ),
        ),
        Stage(
            steps=180,
            learning_rate=5e-4,
            warmup_steps=20,
            rates=LABEL_ENCODER_AND_REG,
            phases=(
                Phase(0.6, (384, 672), 4, 4, MOSTLY_VIDEO),
                Phase(0.4, (480, 832), 4, 3, MOSTLY_VIDEO),
            ),
        ),
    ),
)

JOINT_SMALL_SHORT = replace(
    JOINT_SMALL,
    ema_decay=0.95,
    stages=(
        replace(
            JOINT_SMALL.stages[0],
            steps=160,
            warmup_steps=20,
            phases=(Phase(1.0, (112, 192), 4, 6, {"video": 1.0}),),
        ),
    ),
)

JOINT_SMALL_CUDA = replace(
    JOINT_SMALL,
    precision="bf16",
    ema_decay=0.999,
    checkpoint_steps=100,
    validation_steps=1000,
    stages=(
        Stage(
            steps=5000,
            learning_rate=1e-3,
            warmup_steps=200,
            rates=LABEL_ENCODER_AND_REG,
            lovasz_start=0.2,
            lovasz_full=0.3,
            phases=(
                Phase(0.05, (240, 416), 4, 32, {"video": 1.0}),
                Phase(0.65, (240, 416), 4, 32, DIVERSE),
                Phase(0.3, (288, 512), 4, 32, TOWARDS_VIDEO),
            ),
        ),
        Stage(
            steps=1500,
            learning_rate=3e-4,
            warmup_steps=50,
            rates=LABEL_ENCODER_AND_REG,
            phases=(Phase(1.0, (384, 672), 5, 16, TOWARDS_VIDEO),),
        ),
    ),
)

RECIPES: Mapping[str, TrainConfig] = {
    "joint-r50": JOINT_R50,
    "joint-r50-as-printed": replace(
        JOINT_R50,
        stages=(
            replace(JOINT_R50.stages[0], learning_rate=0.01, rates={"backbone.": 0.0}),
            replace(JOINT_R50.stages[1], rates={}),
        ),
        lovasz_per_frame=True,
        segmentation_weight=1.0,
        cosine_weight=0.01,
        causal=False,
    ),
    "joint-r50-davis": replace(
        JOINT_R50,
        initial_weights=("imagenet-r50",),
        stages=tuple(replace(stage, phases=DAVIS_DATA) for stage in JOINT_R50.stages),
    ),
    "joint-small": JOINT_SMALL,
    "joint-small-cuda": JOINT_SMALL_CUDA,
    "joint-small-short": JOINT_SMALL_SHORT,
}
