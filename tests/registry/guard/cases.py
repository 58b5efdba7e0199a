"""The ways to be broken: for each a plugin, what its record must say and what must remain of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.registry.guard.site import GOOD, Site

HOOK = "from kokoro_core import hookimpl\nfrom registry import Command, Migration\n@hookimpl\n"


@dataclass(frozen=True)
class Case:
    """One broken plugin.

    Attributes:
        source: Its module.
        cause: A part of what its record gives as the cause, or of its flags if it is loaded.
        status: What becomes of it.
        entry_points: The list of its distribution, if it is not the usual one.
        metadata: The METADATA of its distribution, if it is not the usual one.
        distribution: Of the plugin; empty: ``dist-`` and the plugin's name.
        plugin: Its name, if it is not the case's.
    """

    source: str
    cause: str
    status: str = "broken"
    entry_points: str | bytes | None = None
    metadata: str | None = None
    distribution: str = ""
    plugin: str = ""


def returning(hook: str, value: str) -> str:
    """Return a plugin whose hook returns the value of an expression."""
    return f"{HOOK}def {hook}(): return {value}"


def importing(line: str, name: str) -> str:
    """Return a plugin that works, and does something when it is imported."""
    return f"{line}\n{GOOD.format(name=name)}"


PARAMS = """
from typing import Literal
from pydantic import Field
from kokoro_core.slots import EncoderParams
class Params(EncoderParams):
    type: Literal["{name}"] = "{name}"
    def build(self, sizes): ...
"""

CASES: dict[str, Case] = {
    # on import
    "raises": Case("raise OSError('no disk')", "OSError: no disk (dist_raises_raises.py:1)"),
    "exits": Case("raise SystemExit(3)", "SystemExit: 3"),
    "exits-cleanly": Case("import sys; sys.exit()", "SystemExit"),
    "raises-a-base-exception": Case(
        "class Quit(BaseException): ...\nraise Quit('bye')", "Quit: bye"
    ),
    "cancels": Case("import asyncio; raise asyncio.CancelledError()", "CancelledError"),
    "recurses": Case("def f(): return f()\nf()", "RecursionError"),
    "asserts": Case("assert False, 'never'", "AssertionError: never"),
    "is-no-python": Case("def", "SyntaxError"),
    "has-a-null-byte": Case("x = '\0'", "null bytes"),
    "lacks-a-dependency": Case("import not_there_at_all", "No module named 'not_there_at_all'"),
    "lacks-a-name": Case("from os import not_there", "cannot import name 'not_there'"),
    "has-an-error-without-text": Case(
        "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute",
        "a Mute whose text raises ValueError",
    ),
    "has-an-error-with-control-codes": Case(
        "raise ValueError('\\x1b[2J' + 'x' * 9999)", "ValueError: \\x1b[2Jxxx"
    ),
    # entry points and metadata
    "has-no-module": Case(
        "",
        "No module named 'nowhere_to_be'",
        entry_points="[kokoro.plugins]\nx1 = nowhere_to_be\n",
        plugin="x1",
    ),
    "has-no-object": Case(
        "",
        "has no attribute 'plugin'",
        plugin="x2",
        entry_points="[kokoro.plugins]\nx2 = os.path:plugin\n",
    ),
    "leads-to-garbage": Case(
        "", "leads to `??? !`", plugin="x3", entry_points="[kokoro.plugins]\nx3 = ??? !\n"
    ),
    "has-an-unreadable-list": Case(
        "",
        "its entry points cannot be read",
        plugin="dist-has-an-unreadable-list",
        entry_points="[kokoro.plugins]\nnothing but words\n",
        distribution="dist-has-an-unreadable-list",
    ),
    "has-a-list-that-is-no-text": Case(
        "",
        "its entry points cannot be read",
        plugin="dist-binary",
        distribution="dist-binary",
        entry_points=b"[kokoro.plugins]\n\xff\xfe = x\n",
    ),
    "has-no-metadata": Case(GOOD.format(name="m1"), "no readable name and version", metadata=""),
    "has-no-version": Case(
        GOOD.format(name="m2"),
        "no readable name and version",
        metadata="Metadata-Version: 2.1\nName: dist-has-no-version\n",
    ),
    "has-a-slash-in-its-name": Case(
        GOOD.format(name="m3"),
        "is not a valid plugin name",
        plugin="transformer/evil",
        entry_points="[kokoro.plugins]\ntransformer/evil = os\n",
        distribution="dist-slash",
    ),
    # no plugin
    "is-an-empty-module": Case("", "implements no hook"),
    "forgets-the-marker": Case("def kokoro_components(): return []", "implements no hook"),
    "misspells-a-hook": Case(
        returning("kokoro_component", "[]"), "implements a hook that does not exist"
    ),
    "has-a-wrong-signature": Case(
        f"{HOOK}def kokoro_components(registry): return []",
        "{'registry'} are declared in the hookimpl",
    ),
    "wraps-a-hook": Case(
        "from kokoro_core import hookimpl\n@hookimpl(wrapper=True)\n"
        "def kokoro_components():\n    return (yield)",
        "wraps `kokoro_components`",
    ),
    "is-asynchronous": Case(f"{HOOK}async def kokoro_components(): return []", "coroutine"),
    # in the hooks
    "raises-in-the-hook": Case(f"{HOOK}def kokoro_components(): 1 / 0", "ZeroDivisionError"),
    "exits-in-the-hook": Case(f"{HOOK}def kokoro_specs(): raise SystemExit", "SystemExit"),
    "raises-half-way": Case(
        GOOD.format(name="half") + "\n@hookimpl\ndef kokoro_specs(): raise KeyError('x')",
        "KeyError: 'x'",
    ),
    "generates-half": Case(
        PARAMS.format(name="gen")
        + HOOK
        + "def kokoro_components():\n    yield Params\n    raise ValueError('the rest')",
        "ValueError: the rest",
    ),
    "generates-for-ever": Case(
        f"{HOOK}def kokoro_commands():\n    while True: yield Command('a', 'b', 'os:getcwd')",
        "more than 10,000",
    ),
    # what the hooks return
    "returns-none": Case(returning("kokoro_components", "None"), "returned None"),
    "returns-a-number": Case(returning("kokoro_components", "3"), "returned 3; it must return a l"),
    "returns-a-text": Case(returning("kokoro_components", "'abc'"), "returned 'abc'; it must"),
    "returns-a-mapping": Case(returning("kokoro_components", "{}"), "returned {}; it must"),
    "returns-no-classes": Case(
        returning("kokoro_components", "['wave']"), "returned 'wave' from `kokoro_components`"
    ),
    "returns-a-class-of-no-slot": Case(returning("kokoro_components", "[dict]"), "has no `slot`"),
    "returns-a-class-without-settings": Case(
        "class Params:\n    slot, component_name = 'encoder', 'bare'\n    def build(self): ...\n"
        + returning("kokoro_components", "[Params]"),
        "has no `model_fields`; a params class derives from the base of its slot",
    ),
    "has-a-setting-of-a-type-that-is-not-there": Case(
        PARAMS.format(name="undefined").replace(
            "    def build", "    f: 'NotThere' = None\n    def build"
        )
        + returning("kokoro_components", "[Params]"),
        "has a setting whose type cannot be resolved: name 'NotThere' is not defined",
    ),
    "has-a-setting-of-a-type-that-no-spec-can-hold": Case(
        PARAMS.format(name="peculiar").replace(
            "    def build", "    f: __import__('io').StringIO = None\n    def build"
        )
        + returning("kokoro_components", "[Params]"),
        "has a setting whose type cannot be resolved: Unable to generate pydantic-core schema",
    ),
    "returns-a-class-without-build": Case(
        PARAMS.format(name="abstract").replace("    def build(self, sizes): ...\n", "")
        + returning("kokoro_components", "[Params]"),
        "implements no `build`",
    ),
    "returns-a-slot-s-base": Case(
        "from kokoro_core.slots import EncoderParams\n"
        + returning("kokoro_components", "[EncoderParams]"),
        "has no `component_name`",
    ),
    "has-a-component-with-a-bad-name": Case(
        PARAMS.format(name="a/b\\n") + returning("kokoro_components", "[Params]"),
        "has a name that no spec can hold",
    ),
    "registers-a-name-twice": Case(
        PARAMS.format(name="twice") + returning("kokoro_components", "[Params, Params]"),
        "registers the encoder `twice` twice",
    ),
    "returns-a-list-of-specs": Case(returning("kokoro_specs", "['a.yaml']"), "must return a mapp"),
    "returns-a-path-as-text": Case(
        returning("kokoro_specs", "{'tiny': __file__}"), "which is not a file"
    ),
    "ships-a-spec-that-is-not-there": Case(
        returning("kokoro_specs", "{'tiny': __import__('pathlib').Path('/no/tiny.yaml')}"),
        "is a file that is not there",
    ),
    "has-a-spec-with-a-bad-name": Case(
        returning("kokoro_specs", "{'../x': __import__('pathlib').Path(__file__)}"),
        "has a spec with the name '../x'",
    ),
    "returns-no-voices": Case(returning("kokoro_voices", "[print]"), "is not a `Voice`"),
    "has-a-voice-that-is-a-path-as-text": Case(
        returning("kokoro_voices", "[__import__('registry').Voice('alto', __file__, __file__)]"),
        "the voice `alto` of",
    ),
    "has-a-voice-without-its-card": Case(
        "from pathlib import Path\nfrom registry import Voice\n"
        + returning("kokoro_voices", "[Voice('alto', Path(__file__), Path('/no/card.md'))]"),
        "is a file that is not there",
    ),
    "has-a-voice-twice": Case(
        "from pathlib import Path\nfrom registry import Voice\nfile = Path(__file__)\n"
        + returning("kokoro_voices", "[Voice('alto', file, file)] * 2"),
        "returns the voice `alto` twice",
    ),
    "returns-no-commands": Case(returning("kokoro_commands", "[print]"), "is not a `Command`"),
    "has-a-command-to-nowhere": Case(
        returning("kokoro_commands", "[Command('hum', 'Hum.', 'os.system(1)')]"),
        "write `package.module:function`",
    ),
    "has-a-command-without-help": Case(
        returning("kokoro_commands", "[Command('hum', None, 'os:getcwd')]"), "no text as help"
    ),
    "has-a-command-twice": Case(
        returning("kokoro_commands", "[Command('hum', '', 'os:getcwd')] * 2"),
        "returns the command `hum` twice",
    ),
    "returns-no-migrations": Case(returning("kokoro_migrations", "[1]"), "is not a `Migration`"),
    # versions of the hooks
    "is-for-a-later-api": Case(
        "KOKORO_API = 3\nfrom kokoro_core.slots import NotYetThere",
        "it was written for version 3 of the hooks, this installation has 2",
        status="incompatible",
    ),
    "annotates-a-later-api": Case(
        "KOKORO_API: int = 3\nfrom kokoro_core.slots import NotYetThere",
        "it was written for version 3 of the hooks, this installation has 2",
        status="incompatible",
    ),
    "computes-a-later-api": Case(
        importing("KOKORO_API = 1 + 2", "later"),
        "it was written for version 3 of the hooks",
        status="incompatible",
    ),
    "has-an-api-that-is-no-number": Case(
        importing("KOKORO_API = '1'", "texty"), "states `KOKORO_API = '1'`"
    ),
    # names of others
    "takes-the-name-of-a-built-in-plugin": Case(
        GOOD.format(name="thief"),
        "is also the name of a plugin of `kokoro-core`",
        plugin="transformer",
        distribution="dist-thief",
    ),
    "takes-a-built-in-spec": Case(
        returning("kokoro_specs", "{'small': __import__('pathlib').Path(__file__)}"),
        "its spec `small` has a name that the plugin `transformer` of `kokoro-core`",
    ),
    "takes-a-built-in-command": Case(
        returning("kokoro_commands", "[Command('train', '', 'os:getcwd')]"),
        "its command `train` has a name that the plugin `training` of `kokoro-core`",
    ),
    "takes-the-command-line-s-own-command": Case(
        returning("kokoro_commands", "[Command('check', '', 'os:getcwd')]"),
        "its command `check` has a name that the plugin `core` of `kokoro-core`",
    ),
    "migrates-a-built-in-component": Case(
        returning("kokoro_migrations", "[Migration('encoder', 'transformer', 1)]"),
        "its migration of `encoder/transformer` has a name that the plugin `transformer`",
    ),
    "opens-a-slot-of-the-box": Case(
        "from kokoro_core.params.component import ComponentParams\n"
        "class EncoderParams(ComponentParams, slot='encoder'): ...\n"
        + PARAMS.format(name="anew").replace("from kokoro_core.slots import EncoderParams\n", "")
        + returning("kokoro_components", "[Params]"),
        "`encoder/anew` does not derive from `kokoro_core.slots.EncoderParams`, which defines",
    ),
    "has-a-built-in-component-s-name": Case(
        GOOD.format(name="transformer"),
        "its component `encoder/transformer` shares the name with that of the plugin `transformer` "
        "of `kokoro-core`",
        status="loaded",
    ),
    # bad manners
    "is-slow": Case(
        importing("import time; time.sleep(1.05)", "slow"), "s to import", status="loaded"
    ),
    "prints": Case(
        importing("print('hello', end='')", "loud"), "that was suppressed: 'hello'", status="loaded"
    ),
    "prints-in-the-hook": Case(
        f"{HOOK}def kokoro_components():\n    print('here')\n    return []",
        "'here'",
        status="loaded",
    ),
    "seeds-random": Case(
        importing("import random; random.seed(1)", "seeds"),
        "the state of `random`",
        status="loaded",
    ),
    "changes-the-folder": Case(
        importing("import os; os.chdir('/')", "cd"), "the working directory", status="loaded"
    ),
    "changes-the-environment": Case(
        importing("import os; os.environ['KOKORO_DEBUG'] = '1'", "env"),
        "the environment variables",
        status="loaded",
    ),
    "changes-the-path": Case(
        importing("import sys; sys.path.insert(0, '/tmp')", "path"), "`sys.path`", status="loaded"
    ),
    "changes-the-warnings": Case(
        importing("import warnings; warnings.simplefilter('always')", "warns"),
        "the warning filters",
        status="loaded",
    ),
    # settings of torch; all after `imports-torch`, which is to be the first to import it
    "leaves-the-device-meta": Case(
        importing("import torch; torch.rand(2); torch.set_default_device('meta')", "meta"),
        "changes torch's default device when it is imported; that was undone",
        status="loaded",
    ),
    "leaves-gradients-off": Case(
        importing("import torch; torch.set_grad_enabled(False)", "grad"),
        "changes torch's recording of gradients when it is imported; that was undone",
        status="loaded",
    ),
    "lowers-the-precision": Case(
        importing("import torch; torch.set_float32_matmul_precision('medium')", "precise"),
        "changes torch's float32 precision when it is imported; that was undone",
        status="loaded",
    ),
    "takes-threads": Case(
        importing("import torch; torch.set_num_threads(torch.get_num_threads() + 2)", "thread"),
        "changes torch's number of threads when it is imported; that was undone",
        status="loaded",
    ),
    "wants-determinism": Case(
        importing("import torch; torch.use_deterministic_algorithms(True)", "determined"),
        "changes torch's deterministic mode when it is imported; that was undone",
        status="loaded",
    ),
}
"""By the name of the plugin."""

TORCH = Case(
    importing("import torch; torch.rand(9); torch.set_default_dtype(torch.float64)", "heavy"),
    "imports torch; import it inside `build`",
    status="loaded",
)
"""Flagged where torch was not imported before."""


def install(site: Site, name: str, case: Case) -> str:
    """Install a case and return the name under which it is recorded."""
    plugin = case.plugin or name
    site.add(
        plugin.replace("/", "_"),
        case.source,
        case.distribution or f"dist-{name}",
        entry_points=case.entry_points or f"[kokoro.plugins]\n{plugin} = {_module(name, case)}\n",
        metadata_text=case.metadata,
    )
    return plugin


def _module(name: str, case: Case) -> str:
    distribution, plugin = case.distribution or f"dist-{name}", case.plugin or name
    return f"{distribution}_{plugin}".replace("-", "_")
