"""How large a model may be, counted from its params alone: nothing is built to find out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to, returned
from kokoro_core.params.sizes import FLOAT_BYTES, MAX_PARAMETERS, Size, linear
from kokoro_core.slots import ConditionerParams, PartParams, PositionalEncodingParams
from kokoro_core.spec.problems.problem import Path, SpecError, dotted
from kokoro_core.spec.problems.violation import RuleViolation, violation_problem
from kokoro_core.spec.rules.dimensions import component_sizes
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in

MAX_LAYERS = 10_000


def count_parts(spec: ModelSpec) -> dict[str, Size | None]:
    """Return how large each part of a model is, None for one that does not say."""
    return {
        place: _size(part, place, spec) if isinstance(part, PartParams) else None
        for place, part in parts_of(spec).items()
    }


def parameters_of(spec: ModelSpec) -> int | None:
    """Return the parameters of a model, None if a part of it does not say its size in full."""
    sizes = count_parts(spec).values()
    if any(each is None or not each.complete for each in sizes):
        return None
    return sum(each.parameters for each in sizes if each is not None)


def _size(part: PartParams, place: str, spec: ModelSpec) -> Size | None:
    path, sizes = path_of_part(place), component_sizes(spec, place)
    with attribute_errors_to(part, path, "size"):
        size = part.size(sizes)
        if isinstance(part, ConditionerParams) and part.add and size is not None:
            size += linear(part.width(sizes), component_sizes(spec, "encoder").hidden_dim)
    if size is not None and not isinstance(size, Size):
        raise ComponentFailure(path, owner_of(type(part)), returned(size, "a `Size`, from `size`"))
    return size


def uncounted(spec: ModelSpec) -> list[str]:
    """Return the paths of the components of a model that do not say their size.

    They are not limited: `find_excess` counts what is around them.
    """
    return [
        dotted(path)
        for slot, size in count_parts(spec).items()
        if size is None or not size.complete
        for path in _silent(parts_of(spec)[slot], path_of_part(slot), size)
    ]


def _silent(part: ComponentParams, path: Path, size: Size | None) -> list[Path]:
    """Return what says no size in a part: itself, or components of it if those can be told."""
    if size is None:
        return [path]
    neutral = (PartParams.size, PositionalEncodingParams.size)
    return [
        inner
        for inner, each in components_in(part, path)
        if getattr(type(each), "size", None) in neutral
    ] or [path]


def refuse_excess(spec: ModelSpec, max_parameters: int = MAX_PARAMETERS) -> None:
    """Refuse a model that is over a limit.

    Raises:
        SpecError: It has too many parameters or layers, or its tables take too much memory.
    """
    found = list(find_excess(spec, max_parameters))
    if found:
        raise SpecError(violation_problem(each) for each in found)


def find_excess(spec: ModelSpec, max_parameters: int = MAX_PARAMETERS) -> Iterator[RuleViolation]:
    """Yield each limit that the parts that say their size go over, at the largest of them.

    A part that says the size of some of it counts with that: the model is at least so large.

    What is computed once and kept (a table of positions) may take as many bytes as the parameters
    may, but no fewer where they are allowed fewer than by default. Layers have a limit of their
    own: each costs a module, however narrow it is.
    """
    try:
        sizes = count_parts(spec)
    except ComponentFailure as failure:
        yield failure.violation
        return
    yield from excess_of(sizes, max_parameters)


def excess_of(
    sizes: Mapping[str, Size | None], max_parameters: int = MAX_PARAMETERS
) -> Iterator[RuleViolation]:
    """Yield each limit that parts go over together; None is a part that does not say its size."""
    sizes = {slot: size for slot, size in sizes.items() if size is not None}
    most_bytes = max(max_parameters, MAX_PARAMETERS) * FLOAT_BYTES
    limits = (
        ("too-many-parameters", "parameters", "parameters", max_parameters),
        ("too-many-bytes", "buffer_bytes", "bytes of tables", most_bytes),
        ("too-many-layers", "layers", "layers", MAX_LAYERS),
    )
    for code, attribute, what, limit in limits:
        counts = {slot: getattr(size, attribute) for slot, size in sizes.items()}
        total = sum(counts.values())
        if total > limit:
            largest = max(counts, key=lambda slot: counts[slot])
            message = (
                f"{_written(counts[largest])} of the model's {_written(total)} {what} are here; "
                f"at most {_written(limit)} are allowed{_remedy(code)}"
            )
            yield RuleViolation(code, path_of_part(largest), message)


def _written(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"about 10^{int(count.bit_length() * 0.30103)}"


def _remedy(code: str) -> str:
    if code == "too-many-layers":
        return ""
    return "; `check --max-parameters` and `load_spec(max_parameters=…)` allow more"
