"""The one list of checks, in the order in which they are shown; all doors use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import (
    checkpointing,
    compiling,
    decoding,
    durations,
    gradients,
    initialisation,
    long,
    manifest,
    models,
    moves,
    padding,
    position_calls,
    positions,
    precision,
    purity,
    reach,
    registration,
    regulators,
    rows,
    storage,
    validation,
)

CONFORMANCE_VERSION = 1
"""Version of the list; a check that is newer than the version that is asked for only warns."""

SETTLED_VERSION = 1
"""The version that counts where none is asked for: the list of the release before, so that new
checks arrive as warnings."""

CHECKS: tuple[Check[Any], ...] = (
    registration.registered,
    manifest.params_without_torch,
    manifest.params_round_trip,
    storage.size,
    rows.shapes,
    rows.padding_is_zero,
    rows.row_alone,
    rows.row_alone_in_training,
    rows.rows_are_coupled,
    rows.more_padding,
    rows.permutation,
    padding.padding_poison,
    padding.padding_nan,
    padding.nan_is_loud,
    padding.empty_row,
    padding.empty_row_is_refused,
    reach.sensitivity,
    gradients.gradient,
    gradients.gradient_is_not_exact,
    gradients.detached_inputs,
    gradients.side_inputs_matter,
    long.long_rows,
    reach.reach,
    reach.context,
    reach.order_matters,
    reach.order_does_not_matter,
    purity.repeatable,
    purity.inputs_unchanged,
    purity.state_unchanged,
    purity.modes,
    purity.dropout_in_training,
    precision.low_precision,
    precision.low_precision_is_refused,
    precision.autocast,
    precision.float64_is_refused,
    moves.buffers,
    moves.meta_device,
    moves.copies,
    moves.strided_inputs,
    moves.dtype_and_back,
    checkpointing.checkpointing,
    compiling.compiled,
    compiling.compile_is_refused,
    compiling.exported,
    compiling.export_is_refused,
    initialisation.seeded,
    initialisation.twins_differ,
    initialisation.parameters_learn,
    initialisation.untied,
    initialisation.tied,
    storage.round_trip,
    storage.golden_keys,
    validation.wrong_inputs,
    durations.frames_not_negative,
    durations.frames_from_log,
    durations.frames_vary,
    regulators.plan,
    regulators.repeats,
    regulators.weights,
    regulators.in_time,
    regulators.plan_gradient,
    regulators.plan_in_half,
    regulators.blends,
    regulators.ranges_are_learned,
    decoding.causality,
    decoding.infer_equals_forward,
    decoding.step_equals_forward,
    decoding.chunks_and_forks,
    decoding.limits_are_said,
    decoding.step_cost,
    decoding.room,
    positions.position_offset,
    positions.positions_of_rows,
    positions.position_limit,
    positions.positions_distinct,
    positions.positions_smooth,
    positions.position_accuracy,
    position_calls.position_neutral,
    position_calls.distance_alone,
    position_calls.one_pass,
    position_calls.position_gradient,
    models.model_rows,
    models.model_losses,
    models.speaking_rows,
    models.speaking_is_training,
    models.stream,
    models.durations_of_speech,
    models.speaking_is_pure,
    models.model_file,
)


def checks_of(slot: str) -> tuple[Check[Any], ...]:
    """Return the checks of the components of a slot."""
    return tuple(each for each in CHECKS if slot in each.slots)


def find_checks(ids: Iterable[str], known: Iterable[Check[Any]] = CHECKS) -> dict[str, Check[Any]]:
    """Return checks by id.

    Raises:
        ValueError: There is no check of that id.
    """
    by_id = {each.id: each for each in known}
    for wanted in ids:
        if wanted not in by_id:
            from registry.text import suggestion

            hint = suggestion(wanted, by_id) or ";"
            raise ValueError(f"`{wanted}` is no check{hint} the checks are {', '.join(by_id)}.")
    return {wanted: by_id[wanted] for wanted in ids}
