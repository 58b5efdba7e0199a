"""The profiler sees every entry point, changes nothing and takes itself off again."""

from __future__ import annotations

import copy
import gc
import inspect
import weakref
from collections import Counter
from functools import partial, partialmethod

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from kokoro_core.contracts import Encoder
from kokoro_core.slots import PROFILER
from kokoro_plugins.profiler import plugin
from kokoro_plugins.profiler.gpu_profiler import GpuProfiler
from kokoro_plugins.profiler.params import GpuProfilerParams
from registry import ComponentRegistry, Registration


def counts(profiler, *, recomputed=False):
    """Calls of each row, as `slot.entry_point`."""
    return Counter(
        {
            f"{row['slot']}.{row['entry_point']}": row["calls"]
            for row in profiler.report()["rows"]
            if row["recomputed"] is recomputed
        }
    )


def dictionaries(model):
    """The `__dict__` of each module and class as it is: names in order, values by identity."""
    owners = [owner for each in model.modules() for owner in (each, *type(each).__mro__)]
    return [[(name, id(value)) for name, value in vars(owner).items()] for owner in owners]


def test_the_plugin_brings_the_profiler_under_its_name():
    found = plugin.kokoro_components()
    registry = ComponentRegistry([Registration(each, "profiler", "d", "1") for each in found])
    params = registry.get(PROFILER, "gpu")
    assert params is GpuProfilerParams
    assert isinstance(params().build(), GpuProfiler)


def test_every_entry_point_is_seen_also_those_that_module_hooks_miss(model, phoneme_indices):
    profiler = GpuProfiler()
    with profiler.attach(model):
        model(phoneme_indices)
        model.generate(phoneme_indices)
    assert counts(profiler) == {
        "model.forward": 1,
        "model.generate": 1,
        "encoder.forward": 2,
        "decoder.forward": 1,
        "decoder.init_state": 1,
        "decoder.step": 5,
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=st.lists(st.sampled_from(["forward", "generate", "stream", "train"]), max_size=5))
@example(actions=[])
@example(actions=["train", "stream", "train"])
def test_the_counts_are_those_that_the_parts_counted_themselves(model, phoneme_indices, actions):
    profiler = GpuProfiler(nested=True)
    model.calls.clear()
    with profiler.attach(model):
        for action in actions:
            if action == "train":
                model(phoneme_indices).sum().backward()
            elif action == "stream":
                list(model.stream(phoneme_indices))
            else:
                getattr(model, action)(phoneme_indices)
    everything = counts(profiler) + counts(profiler, recomputed=True)
    inner = "encoder.positional_encoding."
    seen = {name.replace(inner, "positions."): each for name, each in everything.items()}
    assert seen == dict(model.calls)


def test_recomputation_in_a_backward_pass_is_no_call_of_the_forward_pass(model, phoneme_indices):
    profiler = GpuProfiler(nested=True)
    with profiler.attach(model), profiler.measure("training", "backward"):
        model(phoneme_indices).sum().backward()
    assert counts(profiler)["encoder.positional_encoding.add"] == 1
    assert counts(profiler, recomputed=True) == {"encoder.positional_encoding.add": 1}
    assert counts(profiler)["encoder.forward"] == 1
    assert counts(profiler)["training.backward"] == 1


def test_results_and_gradients_are_bit_equal_with_and_without(model, phoneme_indices):
    plain = model(phoneme_indices)
    plain.sum().backward()
    gradients = [each.grad.clone() for each in model.parameters()]
    spoken = model.generate(phoneme_indices)
    model.zero_grad()
    with GpuProfiler(nested=True).attach(model):
        watched = model(phoneme_indices)
        watched.sum().backward()
        assert torch.equal(model.generate(phoneme_indices), spoken)
    assert torch.equal(watched, plain)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_every_instance_is_as_it_was_after_the_block(model, phoneme_indices):
    before = dictionaries(model)
    with GpuProfiler(nested=True).attach(model):
        model(phoneme_indices)
        assert dictionaries(model) != before
    assert dictionaries(model) == before


def test_every_instance_is_as_it_was_after_an_exception_inside_a_part(model):
    before = dictionaries(model)
    profiler = GpuProfiler()
    with pytest.raises(IndexError), profiler.attach(model):
        model(torch.full((1, 3), 99))
    assert dictionaries(model) == before
    assert counts(profiler) == {"model.forward": 1, "encoder.forward": 1}


def test_a_method_that_was_put_on_an_instance_before_is_watched_and_put_back(model):
    own = model.acoustic.decoder.step
    model.acoustic.decoder.step = partial(own)
    before = dictionaries(model)
    profiler = GpuProfiler()
    with profiler.attach(model):
        model.generate(torch.ones(1, 4, dtype=torch.int64))
    assert counts(profiler)["decoder.step"] == 4
    assert dictionaries(model) == before


def test_nothing_of_the_model_is_kept_alive_by_a_profiler_that_is_off(model, phoneme_indices):
    profiler = GpuProfiler()
    with profiler.attach(model):
        model(phoneme_indices)
    encoder = weakref.ref(model.acoustic.encoder)
    model.acoustic.encoder = None
    gc.collect()
    assert encoder() is None
    assert counts(profiler)["encoder.forward"] == 1


def test_a_watched_method_keeps_its_name_and_signature(model):
    signature = inspect.signature(model.acoustic.decoder.step)
    with GpuProfiler().attach(model):
        assert inspect.signature(model.acoustic.decoder.step) == signature
        assert model.acoustic.decoder.step.__name__ == "step"


def test_a_stream_gives_the_same_frames_and_return_value_and_counts_once(model, phoneme_indices):
    def everything():
        frames, stream = [], model.stream(phoneme_indices)
        while True:
            try:
                frames.append(next(stream))
            except StopIteration as end:
                return torch.cat(frames, 1), end.value

    plain, _ = everything()
    profiler = GpuProfiler()
    with profiler.attach(model):
        watched, value = everything()
    assert torch.equal(watched, plain)
    assert value == "ended"
    assert counts(profiler)["model.stream"] == 1


def test_the_time_between_two_frames_of_a_stream_is_not_the_models(
    model, phoneme_indices, fake_device
):
    step = type(model.acoustic.decoder).step

    def slow(frames, state):
        fake_device.spend(1.0)
        return step(model.acoustic.decoder, frames, state)

    model.acoustic.decoder.step = slow
    profiler = GpuProfiler()
    with profiler.attach(model):
        for _ in model.stream(phoneme_indices):
            fake_device.spend(100.0)
    row = next(each for each in profiler.report()["rows"] if each["entry_point"] == "stream")
    assert (row["calls"], row["total_s"], row["self_s"]) == (1, 5.0, 0.0)


def test_a_stream_that_is_left_early_is_closed_and_one_that_outlives_the_block_goes_on(
    model, phoneme_indices
):
    profiler = GpuProfiler()
    with profiler.attach(model):
        left, outliving = model.stream(phoneme_indices), model.stream(phoneme_indices)
        next(left)
        left.close()
        next(outliving)
    assert len(list(outliving)) == 4
    assert counts(profiler)["model.stream"] == 2
    assert counts(profiler)["decoder.step"] == 2


def test_slots_are_named_from_where_the_components_are(model):
    def slots(module, **options):
        profiler = GpuProfiler(**options)
        with profiler.attach(module):
            module(torch.ones(1, 2, dtype=torch.int64))
        return {row["slot"] for row in profiler.report()["rows"]}

    assert slots(model) == {"model", "encoder", "decoder"}
    assert slots(model, nested=True) == {
        "model",
        "encoder",
        "encoder.positional_encoding",
        "decoder",
    }
    wrapped = nn.Sequential(model)
    assert slots(wrapped) == {"model", "encoder", "decoder"}


def test_a_component_alone_can_be_watched(model, phoneme_indices):
    profiler, nested = GpuProfiler(), GpuProfiler(nested=True)
    mask = torch.zeros(2, 5, dtype=torch.bool)
    with profiler.attach(model.acoustic.encoder), nested.attach(model.acoustic.encoder):
        model.acoustic.encoder(phoneme_indices, mask)
    assert counts(profiler) == {"model.forward": 1}
    assert counts(nested) == {"model.forward": 1, "positional_encoding.add": 1}


def test_a_component_in_two_places_is_watched_once(model, phoneme_indices):
    model.acoustic.again = model.acoustic.encoder
    profiler = GpuProfiler()
    with profiler.attach(model):
        model(phoneme_indices)
    assert counts(profiler)["encoder.forward"] == 1
    assert not any(name.startswith("again") for name in counts(profiler))


def test_attaching_while_attached_is_refused_and_leaves_the_first_in_place(model, phoneme_indices):
    profiler, before = GpuProfiler(), dictionaries(model)
    with profiler.attach(model):
        with pytest.raises(RuntimeError, match="`GpuProfiler` is attached already"):
            profiler.attach(model).__enter__()
        model(phoneme_indices)
    assert counts(profiler)["encoder.forward"] == 1
    assert dictionaries(model) == before


def test_two_profilers_nest_and_what_two_blocks_measure_adds_up(model, phoneme_indices):
    outer, inner, before = GpuProfiler(), GpuProfiler(), dictionaries(model)
    with outer.attach(model):
        model(phoneme_indices)
        with inner.attach(model):
            model(phoneme_indices)
    with outer.attach(model):
        model(phoneme_indices)
    assert counts(outer)["encoder.forward"] == 3
    assert counts(inner)["encoder.forward"] == 1
    assert dictionaries(model) == before


def test_a_wrapper_put_over_ours_on_a_class_and_left_there_is_an_error(model, phoneme_indices):
    profiler, before = GpuProfiler(), dictionaries(model)

    def replace_and_leave():
        with profiler.attach(model):
            kind.forward = partialmethod(kind.forward)

    kind = type(model.acoustic.encoder)
    with pytest.raises(RuntimeError, match=r"`forward` of `encoder` was replaced while the prof"):
        replace_and_leave()
    assert dictionaries(model) == before


def test_a_wrapper_put_over_ours_on_an_own_method_and_left_there_is_an_error(model):
    encoder = model.acoustic.encoder
    encoder.forward = partial(encoder.forward)

    def replace_and_leave():
        with GpuProfiler().attach(model):
            encoder.forward = partial(encoder.forward)

    with pytest.raises(RuntimeError, match=r"`forward` of `encoder` was replaced while the prof"):
        replace_and_leave()


def test_a_bound_method_that_is_kept_goes_on_without_the_profiler(model, phoneme_indices):
    profiler = GpuProfiler()
    with profiler.attach(model):
        model.acoustic.encoder.forward = partial(model.acoustic.encoder.forward)
    model(phoneme_indices)
    assert counts(profiler) == {}


def test_a_shallow_copy_does_its_own_work_and_is_counted_as_its_original(model, phoneme_indices):
    positions = model.acoustic.encoder.positional_encoding
    profiler = GpuProfiler(nested=True)
    before = copy.copy(positions)
    with profiler.attach(model):
        for each in (before, copy.copy(positions)):
            each.calls = Counter()
            each.add(torch.zeros(1, 3, 4), torch.arange(3))
            assert each.calls == {"positions.add": 1}
    assert positions.calls == {}
    assert counts(profiler) == {"encoder.positional_encoding.add": 2}


def test_a_deep_copy_is_another_module_and_does_its_own_work(model, phoneme_indices):
    profiler = GpuProfiler(nested=True)
    with profiler.attach(model):
        twin = copy.deepcopy(model.acoustic.decoder).double()
        mask = torch.zeros(1, 2, dtype=torch.bool)
        memory = torch.zeros(1, 2, 4, dtype=torch.float64)
        assert twin(memory, mask, memory[..., :3], mask).mel.dtype is torch.float64
    assert counts(profiler) == {}
    twin.step(torch.zeros(1, 1, 3).double(), twin.init_state(memory, mask, 2))
    assert counts(profiler) == {}


def test_a_method_that_calls_the_one_of_its_base_class_is_counted_once(phoneme_indices):
    class Base(Encoder):
        def forward(self, phoneme_indices, padding_mask):
            return phoneme_indices

    class Derived(Base):
        def forward(self, phoneme_indices, padding_mask):
            return super().forward(phoneme_indices, padding_mask)

    model = nn.Module()
    model.encoder, model.other = Derived(), Base()
    profiler = GpuProfiler()
    with profiler.attach(model):
        model.encoder(phoneme_indices, None)
        model.other(phoneme_indices, None)
    assert counts(profiler) == {"encoder.forward": 1, "other.forward": 1}


class Liar(Encoder):
    entry_points = ("forward", "sing")

    def forward(self, phoneme_indices, padding_mask):
        return phoneme_indices


def test_an_entry_point_that_does_not_exist_is_named():
    model = nn.Sequential(Liar())
    before = dictionaries(model)
    with (
        pytest.raises(TypeError, match="`Liar` lists `sing` in `entry_points` but has no such"),
        GpuProfiler().attach(model),
    ):
        pass
    assert dictionaries(model) == before


def test_measuring_a_block_needs_an_attached_profiler():
    with pytest.raises(RuntimeError, match="works only while the profiler is attached"):
        GpuProfiler().measure("training", "backward")
