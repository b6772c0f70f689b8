"""The memory bank, and how often the session renews what is derived from it."""

import numpy as np
import pytest
import torch
from objects import objects

from jointvos.config import InferenceConfig
from jointvos.errors import ConfigError
from jointvos.inference.memory_bank import MemoryBank, Template
from jointvos.model import MaskEncodings


def numbered(i: int) -> Template:
    part = torch.full((1, 1, 2, 3, 4), float(i))
    return Template(part[0], -part[0], MaskEncodings(part, 2 * part, 3 * part))


def numbers(bank: MemoryBank) -> list[float]:
    return [float(one[0, 0, 0, 0]) for one in bank.transduction]


def filled(size: int, templates: int) -> MemoryBank:
    bank = MemoryBank(numbered(0), InferenceConfig(memory_size=size))
    for i in range(1, templates):
        bank.add(numbered(i))
    return bank


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_never_more_than_its_size_and_always_the_first(size):
    bank = MemoryBank(numbered(0), InferenceConfig(memory_size=size))
    for i in range(1, 12):
        bank.add(numbered(i))
        held = numbers(bank)  # in the order in which they came
        assert len(bank) == len(held) == min(size, i + 1)
        newest = [0, *range(i + 2 - len(held), i + 1)]  # of the others the oldest has gone
        assert held == (newest if size > 1 else [0])


def test_features_and_encodings_are_of_the_same_templates():
    bank = filled(3, 6)
    encodings = bank.encodings
    maps = torch.stack(bank.transduction, dim=1)
    assert maps.shape == (1, 3, 2, 3, 4)
    assert torch.equal(bank.induction, -maps)
    assert torch.equal(encodings.transduction, maps)
    assert torch.equal(encodings.induction, 2 * maps)
    assert torch.equal(encodings.importance, 3 * maps)


def test_a_branch_that_is_not_there_has_no_encodings():
    part = torch.zeros(1, 1, 2, 3, 4)
    template = Template(part[0], None, MaskEncodings(part, None, None))
    bank = MemoryBank(template, InferenceConfig())
    bank.add(template)
    assert bank.encodings.transduction.shape[1] == 2
    assert bank.encodings.induction is None
    assert bank.encodings.importance is None


def test_weights():
    bank = filled(20, 1)
    assert bank.weights.tolist() == [1]
    bank.add(numbered(1))
    assert bank.weights.tolist() == pytest.approx([1 / 1.09, 0.09 / 1.09])
    for i in range(2, 40):
        before = bank.weights[bank.newest].item()
        slot = bank.add(numbered(i))
        assert bank.weights[slot] > bank.weights[1:].mean() * 0.99  # the newest weighs most
        assert bank.weights[slot].item() > 0.5 * before
        assert bank.weights[0] >= 0.25 - 1e-6
    assert bank.weights[0].item() == pytest.approx(0.25)
    assert bank.weights.sum().item() == pytest.approx(1, abs=0.05)


def held(bank: MemoryBank) -> list[int]:
    """The numbers of the templates, slot by slot."""
    return [int(template.transduction[0, 0, 0, 0]) for template in bank.templates]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
def test_corrections_outlive_what_is_learned(size):
    bank = filled(size, 2 * size)
    given = [100]
    assert bank.add(numbered(100), permanent=True) > 0
    for i in range(200, 200 + 3 * size):
        bank.add(numbered(i))
        if i % 3 == 0:
            bank.add(numbered(1000 + i), permanent=True)
            given.append(1000 + i)
        now = held(bank)
        assert now[0] == 0
        most = max(size, 2) - 1
        assert sorted(now[slot] for slot in bank.corrections) == given[-most:]
        assert [now[slot] for slot in bank.corrections] == given[-most:]  # oldest first
        assert len(now) <= size + 1
        learned = [now[slot] for slot in bank.learned]
        assert len(now) == 1 + len(bank.corrections) + len(learned)
        if size == 1:
            assert learned == []
        else:
            assert learned[-1] == i  # the newest is always there
            assert now[bank.newest] == i
            assert learned == sorted(learned)


@pytest.mark.parametrize("size", [2, 5, 20])
def test_a_correction_weighs_as_much_as_the_first(size):
    bank = filled(size, 2 * size)
    slot = bank.add(numbered(100), permanent=True)
    assert bank.weights[slot] == bank.weights[0]
    assert bank.weights[slot] >= 0.25 - 1e-6
    for i in range(200, 230):
        bank.add(numbered(i))
        assert bank.weights[slot] == pytest.approx(float(bank.weights[0]))
        assert bank.weights[slot] >= 0.2
    if size > 2:
        assert (bank.weights[bank.learned] < bank.weights[slot]).all()


def test_many_corrections_leave_weight_to_what_is_learned():
    bank = filled(20, 40)
    for i in range(100, 110):
        bank.add(numbered(i), permanent=True)
    for i in range(200, 230):
        bank.add(numbered(i))
    assert bank.weights[bank.learned].sum() > 0.2
    assert bank.weights[bank.corrections].min() == pytest.approx(0.75 / 11, rel=0.01)


def test_a_copy_changes_on_its_own():
    bank = filled(5, 10)
    before, weights = held(bank), bank.weights.clone()
    other = bank.copy()
    other.add(numbered(100), permanent=True)
    other.add(numbered(101))
    other.forget()
    assert held(bank) == before
    assert torch.equal(bank.weights, weights)
    assert bank.corrections == []
    assert len(bank.learned) == 4


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(5, [0, 100, 6, 8, 9], id="as it was"),
        pytest.param(4, [0, 100, 8, 9], id="one less"),
        pytest.param(2, [0, 100, 9], id="one learned beside the permanent ones"),
        pytest.param(1, [0, 100], id="permanent ones only"),
    ],
)
def test_a_smaller_memory_loses_the_oldest_first(size, expected):
    bank = filled(5, 10)
    bank.add(numbered(100), permanent=True)
    if size == 5:
        expected = held(bank)
    bank.shrink(size)
    assert sorted(held(bank)) == sorted(expected)
    assert bank.weights.shape == (len(expected),)
    assert bank.weights.sum().item() == pytest.approx(1, abs=0.05)
    bank.add(numbered(50))
    assert len(bank) == len(expected)
    assert (50 in held(bank)) == (size > 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"template_interval": 3}, [1, 2, 3, 3], id="interval 3: frames 1, 4, 7"),
        pytest.param({"template_interval": 2}, [1, 2, 3, 3], id="interval 2: frames 2, 4, 6"),
        pytest.param({"template_interval": 5}, [1, 2], id="interval 5: frame 3"),
        pytest.param({"memory_size": 1}, [1], id="room for the first only"),
        pytest.param(
            {"template_interval": 1, "memory_size": 4}, [1, 2, 3, 4, 4, 4, 4, 4], id="every frame"
        ),
    ],
)
def test_derived_only_when_the_memory_changes(session, clip, watched, changes, expected):
    """Number of templates in every call of the verbs that depend on the memory alone."""
    frames, labels = clip
    counted = {"renew_templates": [], "template_keys": [], "fit_target_model": []}

    def counting(name, templates):
        def watch(verb, *args, **options):
            counted[name].append(templates(*args))
            return verb(*args, **options)

        return watch

    watched.watches = {
        "renew_templates": counting("renew_templates", lambda _before, maps, *_: len(maps)),
        "template_keys": counting("template_keys", lambda _encoded, maps: maps.shape[1]),
        "fit_target_model": counting("fit_target_model", lambda maps, _: maps.shape[1]),
    }
    running = session(watched, **changes)
    for t, image in enumerate(frames):
        running.step(image, (labels[0] == 1).astype("uint8") if t == 0 else None)
    assert all(each == expected for each in counted.values())
    assert len(objects(running)[0].bank) == expected[-1]


def test_keys_are_kept_between_updates(session, clip):
    frames, labels = clip
    running = session(template_interval=5)
    running.step(frames[0], labels[0])
    keys = running.groups[0].keys
    running.step(frames[1])
    assert running.groups[0].keys is keys
    running.step(frames[2])
    assert running.groups[0].keys is keys
    running.step(frames[3])  # stored
    assert running.groups[0].keys is not keys
    assert running.groups[0].keys.keys.shape[1] == 2 * keys.keys.shape[1]


def test_templates_on_demand(session, clip):
    frames, labels = clip
    running = session(template_interval=2, memory_size=9)
    running.step(frames[0], labels[0])
    for template, size in [(True, 2), (True, 3), (False, 3), (False, 3), (None, 3), (None, 4)]:
        running.step(frames[1], template=template)
        assert {len(alone.bank) for alone in objects(running)} == {size}


def test_a_memory_filled_with_copies_sees_what_one_template_sees(session, clip):
    frames, labels = clip
    options = {"probabilities": True, "template_interval": 99, "memory_size": 7}
    one, full = session(**options), session(**options)
    for running in (one, full):
        running.step(frames[0], labels[0])
    full.fill_memory()
    assert {len(alone.bank) for alone in objects(full)} == {7}
    assert objects(full)[0].keys.keys.shape[1] == 7 * objects(one)[0].keys.keys.shape[1]
    expected, result = one.step(frames[1]), full.step(frames[1])
    np.testing.assert_allclose(result.probabilities, expected.probabilities, atol=1e-4)
    full.step(frames[2], template=True)
    assert {len(alone.bank) for alone in objects(full)} == {7}


def test_kept_in_half_precision(session, clip):
    """Half as large and nearly the same; what is computed of it is in fp32."""
    frames, labels = clip
    whole, half = session(probabilities=True), session(probabilities=True, memory_precision="fp16")
    for t, image in enumerate(frames):
        expected = whole.step(image, labels[0] if t == 0 else None)
        result = half.step(image, labels[0] if t == 0 else None)
        assert (result.labels == expected.labels).mean() > 0.995
    assert not (result.probabilities == expected.probabilities).all()
    (group,) = half.groups
    for template, encoded in zip(group.bank.in_order, group.encoded, strict=True):
        assert template.transduction.dtype == template.induction.dtype == torch.float16
        assert encoded.features is template.transduction
        assert encoded.attended.dtype == torch.float16
    assert group.target_model.kernel.dtype == group.keys.keys.dtype == torch.float32


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="memory_precision is 'bf16', expected fp32, fp16"):
        InferenceConfig(memory_precision="bf16")
