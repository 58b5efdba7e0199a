"""What every component of the slot must keep: the checks of the framework, one test each."""

from __future__ import annotations

from kokoro_core.testing import conformance_test

from acme_encoder.params import AcmeParams

test_component = conformance_test(AcmeParams)
