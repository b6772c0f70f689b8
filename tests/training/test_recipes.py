"""The recipes: presets, files, and what they say of a step."""

import tomllib
from dataclasses import replace

import pytest
import tomli_w
from torch import nn

from jointvos.config import from_dict, to_dict
from jointvos.errors import ConfigError
from jointvos.training.recipes import RECIPES
from jointvos.training.schedule import learning_rate, lovasz_share, parameter_groups, rate_of
from jointvos.training.train_config import (
    Phase,
    Stage,
    TrainConfig,
    counted,
    read_recipe,
    recipe_text,
    shortened,
)

STAGE = Stage(1000, 1.0, (Phase(1.0, (64, 96), 3, 1, {"video": 1.0}),))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_its_file(name, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_text(RECIPES[name]))
    assert read_recipe(path) == RECIPES[name]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("sedd = 1", "unknown sedd", id="unknown"),
        pytest.param('seed = "one"', "seed is 'one', expected int", id="type"),
        pytest.param("seed = true", "seed is True, expected int", id="bool"),
        pytest.param('precision = "fp8"', "precision is 'fp8'", id="choice"),
        pytest.param("accumulate = 0", "accumulate is 0", id="range"),
        pytest.param('model = "joint-huge"', "model is 'joint-huge'", id="model"),
        pytest.param('without = ["decoder"]', "without[0] is 'decoder'", id="list"),
        pytest.param("chances = {twins = 2}", "twins is 2.0, expected 0 to 1", id="chance"),
        pytest.param("chances = {twin = 0.5}", "chances: unknown twin", id="unknown chance"),
        pytest.param("seed = ", "is not TOML", id="syntax"),
    ],
)
def test_every_key_is_checked(line, said, tmp_path):
    path = tmp_path / "recipe.toml"
    values = to_dict(RECIPES["joint-lite"])
    values.pop(line.split(" = ")[0], None)
    path.write_text(f"{line}\n{tomli_w.dumps(values)}")
    with pytest.raises(ConfigError) as error:
        read_recipe(path)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_nested_keys_are_checked_and_named():
    values = to_dict(RECIPES["joint-r50"])
    stages = [dict(stage) for stage in values["stages"]]
    stages[1]["learning_rat"] = 1.0
    with pytest.raises(ConfigError, match=r"stages\[1\]: unknown learning_rat"):
        from_dict(TrainConfig, {**values, "stages": stages})
    del stages[1]["learning_rat"], stages[1]["steps"]
    with pytest.raises(ConfigError, match=r"stages\[1\].*steps"):
        from_dict(TrainConfig, {**values, "stages": stages})


def test_names_may_hold_anything(tmp_path):
    phase = replace(STAGE.phases[0], mix={'a "quoted" set': 1.0, "back\\slash": 2.0})
    config = replace(
        RECIPES["joint-lite"],
        stages=(replace(STAGE, phases=(phase,)),),
        initial_weights=("c:\\weights",),
    )
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_text(config))
    assert read_recipe(path) == config


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_recipe(tmp_path / "gone.toml")


def test_rates_follow_the_step():
    stage = replace(STAGE, warmup_steps=100)
    assert learning_rate(stage, 0, 0.0) == pytest.approx(0.01)
    assert learning_rate(stage, 100, 0.0) == pytest.approx(1.0)
    assert learning_rate(stage, 500, 0.5) == pytest.approx(0.51)
    assert learning_rate(stage, 1000, 1.0) == pytest.approx(0.02)


def test_the_paper_drops_its_rate_by_five_after_40k_80k_115k_and_165k():
    config = RECIPES["joint-r50"]
    assert config.steps == 180_000

    def rate(step):
        moment = config.at_step(step)
        stage = config.stages[moment.stage]
        return learning_rate(stage, 0, moment.progress) / stage.learning_rate

    rates = [1, 0.2, 0.04, 1, 0.2, 0.04]
    edges = [0, 40_000, 80_000, 90_000, 115_000, 165_000, 180_000]
    for value, begin, end in zip(rates, edges[:-1], edges[1:], strict=True):
        assert rate(begin) == pytest.approx(value)
        assert rate(end - 1) == pytest.approx(value)


def test_the_printed_rate_falls_from_one_stage_to_the_next():
    config = RECIPES["joint-r50-as-printed"]
    steps = [0, 40_000, 80_000, 90_000, 115_000, 165_000]
    moments = [config.at_step(step) for step in steps]
    rates = [learning_rate(config.stages[m.stage], 0, m.progress) for m in moments]
    assert rates == pytest.approx([0.01, 2e-3, 4e-4, 4e-4, 8e-5, 1.6e-5])
    # Everything has this rate: the backbone is frozen at first, all of it is trained later.
    assert [stage.rates for stage in config.stages] == [{"backbone.": 0.0}, {}]


def test_the_losses_cross_over():
    stage = replace(STAGE, lovasz_start=0.42, lovasz_full=0.58)
    assert lovasz_share(stage, 0.419) == 0
    assert lovasz_share(stage, 0.5) == pytest.approx(0.5)
    assert lovasz_share(stage, 0.58) == 1
    assert lovasz_share(STAGE, 0) == 1  # the paper's: Lovasz alone from the start


def test_the_longest_beginning_of_a_name_gives_the_rate():
    rates = {"a.": 0.5, "a.b.": 0.0}
    assert [rate_of(name, rates) for name in ("a.x", "a.b.x", "ab", "c")] == [0.5, 0.0, 1.0, 1.0]


def test_frozen_parts_are_in_no_group_and_vectors_do_not_decay():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    groups = parameter_groups(net, {"0.": 0.0}, 0.1)
    assert [p.requires_grad for p in net.parameters()] == [False, False, True, True]
    decays = {tuple(p.shape): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays == {(1, 3): 0.1, (1,): 0.0}


PHASES = tuple(Phase(share, (64, 96), 3, 1, {"video": 1.0}) for share in (0.25, 0.75))
TWO_STAGES = replace(
    RECIPES["joint-lite"],
    stages=(replace(STAGE, steps=10, phases=PHASES), replace(STAGE, steps=30, phases=PHASES)),
)


def test_stages_and_phases_by_step():
    moments = [TWO_STAGES.at_step(step) for step in range(40)]
    assert [(moment.stage, moment.phase) for moment in moments] == (
        [(0, 0)] * 3 + [(0, 1)] * 7 + [(1, 0)] * 8 + [(1, 1)] * 22
    )
    own = [step / 10 for step in range(10)] + [step / 30 for step in range(30)]
    assert [moment.progress for moment in moments] == pytest.approx(own)


def test_stages_and_phases_by_share_of_the_time():
    def at(share):
        moment = TWO_STAGES.at_share(share)
        return moment.stage, moment.phase, pytest.approx(moment.progress)

    assert at(0) == (0, 0, 0.0)
    assert at(0.2) == (0, 1, 0.8)
    assert at(0.25) == (1, 0, 0.0)
    assert at(0.4375) == (1, 1, 0.25)
    assert at(1.0) == (1, 1, 1.0)


def test_a_run_by_minutes_is_repeated_by_the_steps_it_took():
    repeated = counted(replace(TWO_STAGES, minutes=3.0), [[4, 2], [0, 5]])
    assert repeated.minutes == 0
    assert [stage.steps for stage in repeated.stages] == [6, 5]
    moments = [repeated.at_step(step) for step in range(11)]
    assert [(m.stage, m.phase) for m in moments] == [(0, 0)] * 4 + [(0, 1)] * 2 + [(1, 0)] * 5
    # A phase has its share of the stage, however many steps it took.
    first = [0, 1 / 16, 2 / 16, 3 / 16, 0.25, 0.625]
    assert [m.progress for m in moments] == pytest.approx([*first, *(n / 5 for n in range(5))])
    assert read_again(repeated) == repeated


def read_again(config):
    return from_dict(TrainConfig, tomllib.loads(recipe_text(config)))


def test_the_steps_of_phases_must_sum_to_those_of_the_stage():
    some = (replace(PHASES[0], steps=2), PHASES[1])
    wrong = (replace(PHASES[0], steps=2), replace(PHASES[1], steps=3))
    for phases in (some, wrong):
        with pytest.raises(ConfigError, match="sum to 10"):
            replace(TWO_STAGES.stages[0], phases=phases)


def test_shortened_keeps_the_stages_in_proportion():
    short = shortened(RECIPES["joint-r50"], 10)
    assert [stage.steps for stage in short.stages] == [5, 5]
    assert short.steps == 10
    by_minutes = shortened(counted(RECIPES["joint-lite"], [[1, 2, 3, 4, 5]]), 40)
    assert (by_minutes.minutes, by_minutes.steps) == (0, 40)


def test_phases_must_cover_the_stage():
    with pytest.raises(ConfigError, match="sum to 1"):
        replace(STAGE, phases=(Phase(0.5, (64, 96), 3, 1, {"video": 1.0}),))


def test_without_both_branches_nothing_is_left():
    with pytest.raises(ConfigError, match="nothing is left"):
        replace(RECIPES["joint-lite"], without=("transduction", "induction"))
