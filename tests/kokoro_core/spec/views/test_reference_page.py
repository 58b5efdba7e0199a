"""`docs/components.md` is made from the params models, and says of each setting what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from kokoro_core.params.component import StrictModel
from kokoro_core.slots import EncoderParams
from kokoro_core.spec.views.reference_page import reference_page
from registry import ComponentRegistry, Plugins, Registration, installed_plugins

PAGE = Path(__file__).parents[4] / "docs" / "components.md"
RENEW = ("-m", "kokoro_core.spec.views.reference_page")


class Gate(StrictModel):
    """What is let through.

    Attributes:
        width: How much | at once.
    """

    width: int = Field(3, gt=2, le=9)


class OddEncoder(EncoderParams):
    """An odd encoder.

    Attributes:
        mode: How; ``on`` or not.
        gate: Lets through.
        gates: Several.
    """

    type: Literal["odd"] = "odd"
    mode: Literal["on"] | None
    gate: Gate | None = None
    gates: Annotated[tuple[Gate, ...], Field(strict=False)] = (Gate(),)

    def build(self, sizes: Any) -> Any:
        raise AssertionError("a page builds nothing")


def page_of(*registrations: Registration) -> list[str]:
    components = ComponentRegistry(registrations)
    return reference_page(Plugins(components=components), "acme").splitlines()


def test_the_page_is_what_the_models_say() -> None:
    made = reference_page(installed_plugins())
    assert PAGE.read_text(encoding="utf-8") == made, f"`python {' '.join(RENEW)}` renews the page"


def test_its_command_prints_it_without_torch() -> None:
    code = "import runpy, sys; runpy.run_module(sys.argv[1], run_name='__main__');"
    code += "assert 'torch' not in sys.modules"
    ran = subprocess.run([sys.executable, "-c", code, RENEW[1]], capture_output=True, check=True)
    assert ran.stdout.decode() == PAGE.read_text(encoding="utf-8")


def test_a_component_has_its_settings_and_its_sections_in_tables() -> None:
    page = page_of(Registration(OddEncoder, "odd-plugin", "acme", "1"))
    start = page.index("### `odd-plugin/odd`")
    head = ["| setting | type | default | must be | meaning |", "| --- | --- | --- | --- | --- |"]
    assert page[start + 1 :] == [
        *("", "An odd encoder.", "", *head),
        "| `mode` | 'on' or null | required |  | How; `on` or not. |",
        "| `gate` | mapping or null | `null` |  | Lets through. |",
        "| `gates` | list of mapping | `[{width: 3}]` |  | Several. |",
        *("", "`gate`: What is let through.", "", *head),
        "| `width` | integer | `3` | > 2, ≤ 9 | How much \\| at once. |",
        *("", "`gates`: What is let through.", "", *head),
        "| `width` | integer | `3` | > 2, ≤ 9 | How much \\| at once. |",
    ]


def test_components_of_other_distributions_are_left_out() -> None:
    assert not any("odd" in line for line in page_of(Registration(OddEncoder, "odd", "other", "1")))
