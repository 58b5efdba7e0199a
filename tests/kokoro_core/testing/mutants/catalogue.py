"""All mutants, in the order in which they are written down."""

from __future__ import annotations

from functools import cache

from tests.kokoro_core.testing.mutants.mutant import Mutant


@cache
def all_mutants() -> dict[str, Mutant]:
    """Return every mutant by name."""
    from tests.kokoro_core.testing.mutants import (
        of_adaptors,
        of_aligners,
        of_built_in,
        of_causality,
        of_cells,
        of_conditioners,
        of_conv_encoders,
        of_durations,
        of_encoder_inputs,
        of_encoder_masks,
        of_encoder_modes,
        of_encoder_steps,
        of_forks,
        of_goals,
        of_graphs,
        of_many_steps,
        of_memory,
        of_modules,
        of_parallel,
        of_positions,
        of_postnets,
        of_processes,
        of_regulators,
        of_relays,
        of_settings,
        of_steps,
    )

    modules = (
        of_encoder_masks,
        of_encoder_steps,
        of_encoder_modes,
        of_encoder_inputs,
        of_conv_encoders,
        of_modules,
        of_graphs,
        of_many_steps,
        of_durations,
        of_regulators,
        of_causality,
        of_steps,
        of_forks,
        of_memory,
        of_cells,
        of_relays,
        of_parallel,
        of_positions,
        of_postnets,
        of_aligners,
        of_adaptors,
        of_conditioners,
        of_processes,
        of_goals,
        of_settings,
        of_built_in,
    )
    found = [each for one in modules for each in vars(one).values() if isinstance(each, Mutant)]
    by_name = {each.name: each for each in found}
    if len(by_name) < len(found):
        twice = sorted({each.name for each in found if by_name[each.name] is not each})
        raise ValueError(f"These names are given twice: {twice}.")
    return by_name


def find_mutant(name: str) -> Mutant:
    """Return a mutant.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in all_mutants():
        raise ValueError(f"`{name}` is no mutant.")
    return all_mutants()[name]
