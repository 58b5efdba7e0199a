"""What docs and scaffolded plugins ever named is importable for one release, with a warning."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from kokoro_core._moved import MOVED

NAMED = {
    "kokoro_core.activations": "activations",
    "kokoro_core.compute": "Workload cost",
    "kokoro_core.durations": "check_durations phoneme_of_frame place_in_phoneme",
    "kokoro_core.losses": "training_losses",
    "kokoro_core.masks": "padding_mask_from_lengths lengths_from_padding_mask zero_padding",
    "kokoro_core.nn.dropout": "Dropout",
    "kokoro_core.nn.linear": "Linear",
    "kokoro_core.noise": "RowNoise",
    "kokoro_core.outer_contracts": "Frontend Vocoder Corpus Utterance Profiler Checkpointer "
    "OpenCheckpoint TensorInfo CheckpointError CorpusError FrontendError FrontendWarning "
    "AudioMismatch",
    "kokoro_core.pytest_plugin": "pytest_configure",
    "kokoro_core.pytree": "register_pytree",
    "kokoro_core.shadowing": "import_ours",
    "kokoro_core.spec.audio": "AudioSettings",
    "kokoro_core.spec.capabilities": "Capabilities SideInput",
    "kokoro_core.spec.model_spec": "ModelSpec",
    "kokoro_core.spec.params": "ComponentParams StrictModel",
    "kokoro_core.spec.plain": "dump",
    "kokoro_core.spec.reference": "description_of fields_of",
    "kokoro_core.spec.reference_page": "reference_page",
    "kokoro_core.spec.scalars": "plain_value",
    "kokoro_core.spec.sizes": "LAYER Size Sizes batch_norm conv1d embedding layer_norm linear "
    "table",
    "kokoro_core.testing.counting": "check_size",
    "kokoro_core.testing.reference_page": "reference_page",
    "kokoro_core.testing.strategies": "durations ragged_batches",
    "kokoro_plugins.training.data_module": "AlignedSpeech",
    "kokoro_plugins.training.schedule": "StepBudget FrameBudget TimeBudget",
    "registry.api": "API_VERSION",
}
"""Old module → the names that docs or scaffold showed, or that stand beside such a name."""

KEPT = {
    "kokoro_core.model": "AcousticModel",
    "kokoro_core.spec.problems": "Problem SpecError",
}
"""Modules that are packages now and give the old names themselves."""


def test_the_table_and_this_list_are_of_the_same_modules() -> None:
    assert set(NAMED) == set(MOVED)


@pytest.mark.parametrize("old", sorted(NAMED))
def test_a_moved_module_is_found_under_its_old_name_with_a_warning(old: str) -> None:
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"`{old}` is `.*` now; the old name goes with"):
        module = importlib.import_module(old)
    for name in NAMED[old].split():
        homes = [vars(importlib.import_module(home)) for home in MOVED[old]]
        found = getattr(module, name)
        assert any(found is value for home in homes for value in home.values()) or any(
            found is getattr(importlib.import_module(home), name, None) for home in MOVED[old]
        )


@pytest.mark.parametrize("module", sorted(KEPT))
def test_a_module_that_became_a_package_gives_its_names_still(module: str) -> None:
    for name in KEPT[module].split():
        assert hasattr(importlib.import_module(module), name)


def test_a_name_that_never_was_is_refused_and_the_new_place_told() -> None:
    sys.modules.pop("kokoro_core.masks", None)
    with pytest.warns(DeprecationWarning, match=r"is `kokoro_core\.tensors\.masks` now"):
        masks = importlib.import_module("kokoro_core.masks")
    with pytest.raises(
        AttributeError, match=r"now `kokoro_core\.tensors\.masks`, has no attribute"
    ):
        _ = masks.nonsense


def test_a_module_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"kokoro_core\.mask"):
        importlib.import_module("kokoro_core.mask")


def test_a_star_brings_the_names_of_the_new_place() -> None:
    sys.modules.pop("kokoro_core.masks", None)
    names: dict[str, object] = {}
    with pytest.warns(DeprecationWarning, match=r"is `kokoro_core\.tensors\.masks` now"):
        exec("from kokoro_core.masks import *", names)
    assert {"zero_padding", "padding_mask_from_lengths"} <= set(names)


def test_a_page_is_made_by_the_old_name_of_its_module_still() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "kokoro_core.spec.reference_page"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("# Settings of a spec")


def test_the_warning_stands_at_the_line_that_imports(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("x = 1\nfrom kokoro_core.masks import zero_padding\n", encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "always", script], capture_output=True, text=True, check=True
    )
    assert f"{script}:2: DeprecationWarning" in ran.stderr


def test_nothing_of_ours_imports_by_an_old_name() -> None:
    root = Path(__file__).parents[2]
    sources = [
        file
        for top in ("registry", "kokoro_core", "kokoro_plugins")
        for file in (root / top).rglob("*.py")
        if file.name != "_moved.py"
    ]
    assert len(sources) > 300
    for file in sources:
        text = file.read_text(encoding="utf-8")
        for old in MOVED:
            assert f"from {old} import" not in text, file
            assert f"import {old}\n" not in text, file
