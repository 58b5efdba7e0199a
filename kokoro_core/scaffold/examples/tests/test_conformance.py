"""What every component of the slot must keep: the checks of the framework, one test each."""

from __future__ import annotations

from kokoro_core.scaffold.examples.encoder.params import ExampleParams
from kokoro_core.testing import conformance_test

test_component = conformance_test(ExampleParams)
