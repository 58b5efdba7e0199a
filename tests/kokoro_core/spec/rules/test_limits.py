"""A model that is too large is refused by arithmetic, before anything is allocated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.model.assembly import assemble
from kokoro_core.params.sizes import MAX_PARAMETERS
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.rules.limits import MAX_LAYERS, count_parts, refuse_excess, uncounted
from tests.kokoro_core.spec.toys import PLUGINS, TablePositions, minimal

SMALL = {
    "hidden_dim": 8,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8},
}
TABLE = {"type": "sinusoidal", "max_len": 10**10}
LEARNED = {"type": "learned", "max_len": 10**12}

TOO_LARGE: dict[str, tuple[dict[str, Any], str, str]] = {
    "10^12 parameters by width": ({"hidden_dim": 2**18}, "decoder", "too-many-parameters"),
    "10^12 parameters by feed-forward": (
        {"encoder.ff_dim": 10**11},
        "encoder",
        "too-many-parameters",
    ),
    "10^12 parameters by vocabulary": (
        {"vocab_size": 10**12},
        "encoder",
        "too-many-parameters",
    ),
    "10^12 parameters by mel": ({"mel_dim": 10**12}, "decoder", "too-many-parameters"),
    "10^12 parameters by place": (
        {"decoder.place": {"size": 10**12}},
        "decoder",
        "too-many-parameters",
    ),
    "10^12 learned positions": (
        {"decoder.positional_encoding": LEARNED},
        "decoder",
        "too-many-parameters",
    ),
    "10^12 parameters by convolution": (
        {"postnet": {"type": "conv", "channels": 10**6}},
        "postnet",
        "too-many-parameters",
    ),
    "10^12 parameters by kernel": (
        {"duration_predictor": {"type": "conv", "kernel_size": 10**9 + 1}},
        "duration_predictor",
        "too-many-parameters",
    ),
    "10^40 parameters": ({"vocab_size": 10**39}, "encoder", "too-many-parameters"),
    "10^6 layers": ({"encoder.num_layers": 10**6}, "encoder", "too-many-layers"),
    "10^6 convolutions": (
        {"postnet": {"type": "conv", "num_layers": 10**6, "channels": 1}},
        "postnet",
        "too-many-layers",
    ),
    "a table of 10^10 rows": (
        {"encoder.positional_encoding": TABLE},
        "encoder",
        "too-many-bytes",
    ),
    "10^13 slopes": (
        {"hidden_dim": 10**13, "encoder.num_heads": 10**13},
        "decoder",
        "too-many-parameters",
    ),
}


def problems_of(source: Any, **kwargs: Any) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load_spec(source, **kwargs)
    return list(caught.value.problems)


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_model_that_is_too_large_is_refused_at_its_largest_part(name: str) -> None:
    overrides, path, code = TOO_LARGE[name]
    found = {each.code: each for each in problems_of(SMALL, overrides=overrides)}
    assert found[code].path == path
    assert " are here; at most " in found[code].message


MEASURE = """
import json, sys, time, tracemalloc
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError

load_spec(sys.argv[1])
results = []
for path in sys.argv[2:]:
    tracemalloc.start()
    start = time.process_time()
    try:
        load_spec(path)
        codes = []
    except SpecError as error:
        codes = [each.code for each in error.problems]
    seconds = time.process_time() - start
    results.append({"codes": codes, "peak": tracemalloc.get_traced_memory()[1], "s": seconds})
    tracemalloc.stop()
print(json.dumps({"results": results, "torch": "torch" in sys.modules}))
"""


def test_refusing_allocates_nothing_and_imports_no_torch(tmp_path: Path) -> None:
    paths = [tmp_path / "small.json"]
    paths[0].write_text(json.dumps(SMALL))
    for index, (overrides, _, _) in enumerate(TOO_LARGE.values()):
        paths.append(tmp_path / f"{index}.json")
        paths[-1].write_text(json.dumps(changed(overrides)))
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(ran.stdout)
    assert not measured["torch"]
    for (_, _, code), result in zip(TOO_LARGE.values(), measured["results"], strict=True):
        assert code in result["codes"]
        assert result["peak"] < 5_000_000  # of the 50 MB that are allowed
        assert result["s"] < 1


def changed(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return `SMALL` with changes at dotted paths."""
    tree: dict[str, Any] = json.loads(json.dumps(SMALL))
    for path, value in overrides.items():
        *outer, last = path.split(".")
        node = tree
        for key in outer:
            node = node[key]
        node[last] = value
    return tree


@pytest.mark.parametrize("limit", [10**3, 10**6])
def test_the_limit_is_the_caller_s_and_holds_for_any_source(limit: int) -> None:
    spec = load_spec("small")
    for source in ("small", spec):
        problems = problems_of(source, max_parameters=limit)
        assert [each.code for each in problems] == ["too-many-parameters"]
    with pytest.raises(SpecError, match="parameters are here; at most"):
        assemble(spec, device="meta", max_parameters=limit)


def test_a_model_at_the_limit_is_accepted_and_one_above_it_is_not() -> None:
    exactly = 5_687_122
    assert load_spec("small", max_parameters=exactly).name == "small"
    [problem] = problems_of("small", max_parameters=exactly - 1)
    assert problem.message.startswith(
        "3,202,385 of the model's 5,687,122 parameters are here; at most 5,687,121 are allowed"
    )


def test_a_larger_limit_lets_a_larger_model_and_its_tables_pass() -> None:
    overrides = {"encoder.positional_encoding": TABLE}
    wide = load_spec(SMALL, overrides=overrides, max_parameters=10**12)
    assert sum(size.buffer_bytes for size in count_parts(wide).values() if size) > 10**11
    with pytest.raises(SpecError, match="bytes of tables are here; at most 40,000,000,000"):
        refuse_excess(wide, MAX_PARAMETERS)


def test_as_many_layers_as_allowed_are_accepted() -> None:
    at_most = MAX_LAYERS - 1  # the decoder has one
    deep = load_spec(SMALL, overrides={"encoder.num_layers": at_most})
    assert sum(size.layers for size in count_parts(deep).values() if size) == MAX_LAYERS
    [problem] = problems_of(SMALL, overrides={"encoder.num_layers": at_most + 1})
    assert problem.code == "too-many-layers"
    assert "10,000 of the model's 10,001 layers are here; at most 10,000" in problem.message


def test_a_part_that_does_not_say_its_size_is_not_refused() -> None:
    spec = load_spec(minimal(), plugins=PLUGINS, max_parameters=1)
    assert set(count_parts(spec).values()) == {None}
    assert uncounted(spec) == [slot for slot, row in MODEL_SLOTS.items() if row.required]


def test_what_is_around_a_part_that_does_not_say_its_size_is_limited_all_the_same() -> None:
    spec = load_spec("small")
    silent = {"positional_encoding": TablePositions()}
    inside = spec.model_copy(update={"encoder": spec.encoder.model_copy(update=silent)})
    counted, whole = count_parts(inside)["encoder"], count_parts(spec)["encoder"]
    assert counted is not None
    assert whole is not None
    assert (counted.parameters, counted.layers) == (whole.parameters, whole.layers)
    assert (counted.buffer_bytes, counted.complete, whole.complete) == (0, False, True)
    assert (uncounted(inside), uncounted(spec)) == (["encoder.positional_encoding"], [])
    with pytest.raises(SpecError, match="parameters are here; at most 1,000,000 are allowed"):
        refuse_excess(inside, 10**6)


@given(st.integers(1, 10**40), st.integers(1, 10**40))
@example(10**40 - 1, 10**40 - 1)
def test_any_integer_of_a_text_is_counted_without_overflow(layers: int, rows: int) -> None:
    overrides = {"encoder.num_layers": layers, "vocab_size": rows + 1}
    codes = codes_of(overrides)
    assert codes <= {"too-many-parameters", "too-many-layers"}
    assert ("too-many-layers" in codes) == (layers >= MAX_LAYERS)
    assert "too-many-parameters" in codes or rows * 8 < MAX_PARAMETERS


def codes_of(overrides: dict[str, Any]) -> set[str]:
    try:
        load_spec(SMALL, overrides=overrides)
    except SpecError as error:
        return {each.code for each in error.problems}
    return set()
