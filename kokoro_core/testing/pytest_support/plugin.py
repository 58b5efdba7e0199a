"""The plugin for pytest: options, a marker, and one test for each check of a component.

pytest imports this file in every project that shares an environment with the framework, so it
imports nothing slow; projects without conformance tests never import more.
"""

from __future__ import annotations

import pytest

from kokoro_core.testing.engine.levels import LEVELS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the conformance kit."""
    group = parser.getgroup("conformance", "conformance of Kokoro's components")
    group.addoption(
        "--conformance-level",
        choices=LEVELS,
        help="How much each check tries; if not given, the ini option `conformance_level`.",
    )
    group.addoption(
        "--conformance-case", metavar="JSON", help="The only data to try, as a failure shows it."
    )
    group.addoption(
        "--conformance-version",
        type=int,
        metavar="N",
        help="Version of the list of checks; newer checks only warn.",
    )
    group.addoption(
        "--conformance-write-golden",
        action="store_true",
        help="Write the golden files that tests name, then check.",
    )
    parser.addini("conformance_level", "How much each check tries.", default="fast")
    parser.addini("conformance_version", "Version of the list of checks.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "conformance: runs the checks of Kokoro's conformance kit, a test each"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each check where the marker asks for it."""
    if metafunc.definition.get_closest_marker("conformance") is not None:
        from kokoro_core.testing.pytest_support.checks import parametrize

        parametrize(metafunc)
