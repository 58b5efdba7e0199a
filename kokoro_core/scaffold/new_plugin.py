"""The files of a new plugin: a component of `examples` under the names of its author.

The examples are code of this package, so they are formatted, typed and tested as it is; a copy
differs in names and import paths alone.
"""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distributions, packages_distributions, version
from importlib.resources import files

from kokoro_core.spec.text.scalars import plain_value
from registry import Plugins
from registry.names import BUILT_IN_DISTRIBUTION, canonical, with_article
from registry.text import suggestion

_EXAMPLES = "kokoro_core.scaffold.examples"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_OF_THE_KIT = """ `tests/test_conformance.py` runs the checks that every
component of the slot must pass; `python -m pytest --conformance-level ci` tries more."""
_OWN_SPEC = 'OWN: dict[str, Any] = {"encoder": {"type": NAME}}'


@dataclass(frozen=True)
class Example:
    """What there is to copy for a slot.

    Attributes:
        slot: As a spec writes it; the file of the component has the same name.
        shown: What follows ``kokoro-core`` in a command that shows the component at its place.
        own: The Python text of the part of a spec that names the component; empty: no shared test
            composes a model with it, its own does.
        kit: Whether the conformance kit has checks for the slot.
    """

    slot: str
    shown: tuple[str, ...]
    own: str = ""
    kit: bool = True


_NAME_IN_SPEC = "example-plugin/example"


def _check(*settings: str) -> tuple[str, ...]:
    """Return a command that checks a spec with these settings, a name at each ``{}``."""
    named = [each.replace("{}", _NAME_IN_SPEC) for each in settings]
    return ("check", "small", *(word for each in named for word in ("--set", each)))


def _part(slot: str) -> Example:
    """Return the example of a part that every model has."""
    return Example(slot, _check(f"{slot}.type={{}}"), f'{{"{slot}": {{"type": NAME}}}}')


def _around(slot: str, shown: tuple[str, ...] = ("describe", _NAME_IN_SPEC)) -> Example:
    """Return the example of a slot around the model, for which the kit has no checks."""
    return Example(slot, shown, kit=False)


EXAMPLES: Mapping[str, Example] = {
    "encoder": _part("encoder"),
    "duration_predictor": _part("duration_predictor"),
    "regulator": _part("regulator"),
    "decoder": _part("decoder"),
    "parallel_decoder": _part("decoder"),
    "postnet": Example("postnet", _check("postnet={type: {}}"), '{"postnet": {"type": NAME}}'),
    "positional_encoding": Example(
        "positional_encoding",
        _check("encoder.positional_encoding.type={}"),
        '{"encoder": {**STACK, "positional_encoding": {"type": NAME}}}',
    ),
    "aligner": Example("aligner", _check("aligner={type: {}}")),
    "adaptor": Example("adaptor", _check("token_adaptors={pitch: {type: {}}}")),
    "conditioner": Example(
        "conditioner",
        _check("speakers=[anna, ben]", "conditioners={voice: {type: {}, add: true}}"),
    ),
    "frontend": _around("frontend", _check("frontend={type: {}}", "vocab_size=33")),
    "normalizer": _around("normalizer", _check("frontend.normalizer={type: {}}")),
    "vocoder": _around("vocoder", _check("vocoder={type: {}}")),
    "neural_vocoder": _around("vocoder", _check("vocoder={type: {}}")),
    "corpus": _around("corpus"),
    "importer": _around("importer"),
    "optimizer": _around("optimizer"),
    "schedule": _around("schedule"),
    "objective": _around("objective"),
    "profiler": _around("profiler"),
    "checkpointer": _around("checkpointer"),
}
"""By what `--slot` takes: every slot, and twice those whose components are of two kinds."""


@dataclass(frozen=True)
class Names:
    """The names of a new plugin.

    Attributes:
        distribution: As pip knows it, and the plugin's own name.
        component: As a spec writes it.
    """

    distribution: str
    component: str

    @property
    def package(self) -> str:
        """As Python imports it."""
        return self.distribution.replace("-", "_")

    def class_prefix(self, slot: str) -> str:
        """What the classes' names begin with: without the words of the slot, which follow."""
        words, ending = re.split(r"[-_]", self.component), slot.split("_")
        for tail in (ending, ending[-1:]):
            if len(words) > len(tail) and words[-len(tail) :] == tail:
                words = words[: -len(tail)]
                break
        return "".join(word.capitalize() for word in words)


def check_names(names: Names, kind: str, plugins: Plugins) -> None:
    """Refuse names that cannot be used or are taken.

    Raises:
        ValueError: A name is malformed, or of something that is installed; or no such kind.
    """
    if kind not in EXAMPLES:
        hint = suggestion(kind, EXAMPLES) or ";"
        raise ValueError(f"`--slot {kind}` has no example{hint} there are {', '.join(EXAMPLES)}.")
    if _NAME.fullmatch(names.distribution) is None:
        raise ValueError(
            f"`{names.distribution}` is not a name for a plugin; write lower-case words with "
            f"dashes, such as acme-{EXAMPLES[kind].slot.replace('_', '-')}."
        )
    _check_component(names.component, EXAMPLES[kind].slot, plugins)
    reserved = {*sys.stdlib_module_names, *keyword.kwlist, "kokoro_core", "kokoro_plugins"}
    if names.package in {*reserved, "registry", "tests"}:
        raise ValueError(f"`{names.package}` is a module of Python or of ours; take another name.")
    taken = {each.name for each in plugins.records}
    if names.distribution in taken:
        raise ValueError(f"`{names.distribution}` is the name of an installed plugin.")
    of = _installed(names)
    if of is not None:
        raise ValueError(
            f"`{names.distribution}` is taken: `{of}` is installed and has that name or a module "
            f"of it; take another name."
        )


def _check_component(name: str, slot: str, plugins: Plugins) -> None:
    """Refuse a name that no spec could write, or that would take another one's.

    Raises:
        ValueError: It is such a name.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) is None or plain_value(name) != name:
        raise ValueError(
            f"`--type {name}` is not a name for a component; write lower-case letters, digits and "
            f"`_`, and no word such as `null` that YAML reads as something else."
        )
    for each in plugins.components:
        if (each.slot, each.name) == (slot, name):
            raise ValueError(
                f"`--type {name}` is taken by `{each.qualified_name}`: specs that name it in "
                f"short could mean either; take another name."
            )


def _installed(names: Names) -> str | None:
    """Return the installed distribution that a package of these names would hide, if any."""
    for each in distributions():
        name = each.metadata["Name"] or ""
        if canonical(name) == names.distribution:
            return name
    return next(iter(packages_distributions().get(names.package, ())), None)


def plugin_files(names: Names, kind: str) -> dict[str, str]:
    """Return the text of each file of a new plugin by its path.

    Args:
        names: Checked before.
        kind: A key of `EXAMPLES`.
    """
    example, package = EXAMPLES[kind], names.package
    own = f"{_OWN_SPEC.partition(' = ')[0]} = {example.own}"
    return {
        "pyproject.toml": _filled("pyproject", names, example),
        "README.md": _filled("readme", names, example),
        ".github/workflows/ci.yml": _filled("workflow", names, example),
        f"{package}/__init__.py": f'"""{_titled(example)} for Kokoro."""\n',
        f"{package}/py.typed": "",
        **{
            path: _renamed(text.replace(_OWN_SPEC, own), names, example)
            for path, text in _copied(package, kind).items()
        },
    }


def _copied(package: str, kind: str) -> dict[str, str]:
    """Return what is copied of the examples, by its path in the new plugin."""
    example, folder, shared = EXAMPLES[kind], f"{_EXAMPLES}.{kind}", f"{_EXAMPLES}.tests"
    files_of = {
        f"{package}/plugin.py": _source(_EXAMPLES, "plugin"),
        f"{package}/params.py": _source(folder, "params"),
        f"{package}/{example.slot}.py": _source(folder, example.slot),
        "tests/test_plugin.py": _source(shared, "test_plugin"),
        f"tests/test_{example.slot}.py": _source(folder, "test_component"),
    }
    if example.own:
        files_of["tests/test_model.py"] = _source(shared, "test_model")
    if example.kit:
        files_of["tests/test_conformance.py"] = _source(shared, "test_conformance")
    return files_of


def _titled(example: Example) -> str:
    return with_article(example.slot.replace("_", " ")).capitalize()


def _source(package: str, module: str) -> str:
    return (files(package) / f"{module}.py").read_text(encoding="utf-8")


def _filled(template: str, names: Names, example: Example) -> str:
    """Return a file that is not Python, its placeholders filled."""
    text = (files("kokoro_core.scaffold") / f"{template}.txt").read_text(encoding="utf-8")
    for placeholder, value in {
        "{{shown}}": shlex.join(example.shown),
        "{{of the kit}}": _OF_THE_KIT if example.kit else "",
        "{{slot}}": example.slot,
        "{{A slot}}": _titled(example),
        "{{module}}": example.slot,
        "{{framework}}": f"{BUILT_IN_DISTRIBUTION}>={version(BUILT_IN_DISTRIBUTION)}",
        "{{package}}": names.package,
    }.items():
        text = text.replace(placeholder, value)
    return _renamed(text, names, example)


def _renamed(text: str, names: Names, example: Example) -> str:
    """Return a copied text under the author's names."""
    text = re.sub(rf"{re.escape(_EXAMPLES)}\.\w+\.", f"{names.package}.", text)
    text = text.replace("example-plugin", names.distribution)
    text = text.replace("/example", f"/{names.component}")
    text = re.sub(r'"(\.?)example"', rf'"\1{names.component}"', text)
    text = re.sub(r"\bExample(?=[A-Z])", names.class_prefix(example.slot), text)
    return _sorted_imports(_joined_imports(text), names.package)


def _joined_imports(text: str) -> str:
    """Put an import of one name on one line where it fits into 100 columns."""

    def joined(match: re.Match[str]) -> str:
        line = f"{match[1]} import {match[2]}"
        return line if len(line) <= 100 else match[0]

    return re.sub(r"^( *from \S+) import \(\n\s+(\w+),\n\s*\)$", joined, text, flags=re.M)


def _sorted_imports(text: str, package: str) -> str:
    """Give the author's own package a block of imports after those of others."""
    own = re.findall(rf"^from {package}\.\S+ import .+\n", text, re.M)
    if not own:
        return text
    for each in own:
        # One that had a block of its own leaves none.
        text = text.replace(f"\n\n{each}\n", "\n\n").replace(each, "", 1)
    lines = text.splitlines()
    last = max(index for index, line in enumerate(lines) if line.startswith(("from ", "import ")))
    before, after = "\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])
    return f"{before}\n\n{''.join(own)}{after}\n"
