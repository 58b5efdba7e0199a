"""A component keeps to itself: it changes nothing of the process, and can leave it."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import torch
from torch import nn

from kokoro_core.testing.check import PARTS, Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONCE, ONE_BATCH, Nothing
from kokoro_core.testing.data.compare import assert_all_identical, assert_same_outputs, must_raise
from kokoro_core.testing.subjects.process_state import isolated, other_generators, seed_torch
from kokoro_core.testing.subjects.subject import Subject

REFUSALS = (RuntimeError, KeyError, ValueError, AttributeError)


@Check(
    "build-is-local",
    cases=ONCE,
    slots=PARTS,
    since=2,
    bug="a seed, a default dtype or a number of threads that a model's constructor sets for all",
)
def build_is_local(subject: Subject, data: Nothing) -> None:
    """Building changes no setting of the process, and draws from torch's generator alone."""
    elsewhere, states = other_generators(), []
    with isolated():  # anew: it was built before
        kept = _settings()
        for seed in (1, 2):
            seed_torch(seed)
            subject.built()
            states.append(torch.get_rng_state())
        now = _settings()
    for name, value in now.items():
        assert value == kept[name], f"`build` must not change {name} from {kept[name]} to {value}"
    assert other_generators() == elsewhere, "`build` must draw no number of `random` or numpy"
    assert not torch.equal(*states), "`build` must not seed torch's generator"


def _settings() -> dict[str, Any]:
    return {
        "the default dtype": torch.get_default_dtype(),
        "the number of threads": torch.get_num_threads(),
        "whether gradients are on": torch.is_grad_enabled(),
    }


def _hidden_class(subject: Subject) -> str | None:
    """Return why no other process finds a class of it by name, or None."""
    for module in subject.component.modules():
        kind = type(module)
        found: Any = sys.modules.get(kind.__module__)
        for name in kind.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is not kind:
            return f"no other process finds `{kind.__qualname__}` by its name"
    return None


@Check(
    "pickles",
    cases=ONE_BATCH,
    slots=PARTS,
    since=2,
    skip=_hidden_class,
    bug="a lambda in a model that is sent to another process, or copied to another GPU's",
)
def pickles(subject: Subject, batch: RaggedBatch) -> None:
    """It can be sent to another process, and gives the same there."""
    component = subject.build()
    try:
        again = pickle.loads(pickle.dumps(component))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(f"it must be possible to pickle it, but {error}") from error
    assert_all_identical(again.state_dict(), component.state_dict(), "`{}` must arrive as it is")
    if subject.slot != "positional_encoding":
        inputs = subject.probe.inputs(batch)
        expected = subject.probe_of(component).run(inputs)
        assert_same_outputs(subject.probe_of(again).run(inputs), expected, "must arrive as it is")


def _no_state(subject: Subject) -> str | None:
    return None if subject.component.state_dict() else "it has no state"


@Check(
    "strict-loading",
    cases=ONCE,
    slots=PARTS,
    since=2,
    skip=_no_state,
    bug="`strict=False` inside: a checkpoint of another model loads, and speaks noise",
)
def strict_loading(subject: Subject, data: Nothing) -> None:
    """A state with a name too few, a name too many or another shape is refused."""
    state = {f"part.{name}": each for name, each in subject.build(seed=1).state_dict().items()}
    first, *_ = sorted(state)
    other = torch.zeros([*state[first].shape, 2])
    wrongs = {
        f"without `{first}`": {name: each for name, each in state.items() if name != first},
        "with `part.of_another_model`": {**state, "part.of_another_model": torch.zeros(1)},
        f"with `{first}` in another shape": {**state, first: other},
    }
    for said, wrong in wrongs.items():
        whole = nn.ModuleDict({"part": subject.build(seed=2)})
        own = {name.removeprefix("part."): each for name, each in wrong.items()}
        for module, given in ((whole, wrong), (whole["part"], own)):
            with must_raise(*REFUSALS, otherwise=f"a state {said} must be refused"):
                module.load_state_dict(given, strict=True)


@Check(
    "tied-by-assigning",
    cases=ONCE,
    slots=PARTS,
    since=2,
    bug="accelerate PR#2875, safetensors#98: tensors that a loaded model has twice",
)
def tied_by_assigning(subject: Subject, data: Nothing) -> None:
    """Tied parameters are one after a checkpoint was loaded, which assigns its tensors."""
    built = subject.build()
    state = {name: each.detach().clone() for name, each in built.state_dict().items()}
    loaded = subject.build(seed=1)
    loaded.load_state_dict(state, strict=True, assign=True)
    before, after = (_distinct(each) for each in (built, loaded))
    assert before == after, (
        f"tied parameters must still be tied after a checkpoint is loaded: there are {after}, not "
        f"{before}; register one, and use it twice"
    )


def _distinct(component: Any) -> int:
    """Return the number of parameters, each tied one counted once."""
    return len({each.untyped_storage().data_ptr() for each in component.parameters()})
