"""Discovery: plugins of distributions on a path, each loaded in its own guard."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from registry import Command, Plugins, Policy, discover, installed_plugins
from registry.errors import (
    AmbiguousComponent,
    AmbiguousName,
    InvalidPlugin,
    InvalidPolicy,
    UnknownNamedSpec,
)
from registry.names import canonical
from registry.text import one_line
from tests.registry.guard.site import GOOD, Site, record_of


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_plugin_brings_components_specs_and_commands_with_its_origin(site: Site) -> None:
    source = """
    from pathlib import Path

    @hookimpl
    def kokoro_specs():
        return {"tiny": Path(__file__)}

    @hookimpl
    def kokoro_commands():
        return [Command("hum", "Hum.", "os.path:join")]
    """
    site.add("acme", GOOD.format(name="wave") + dedent(source), version="2.5")
    plugins = site.discover()
    [record] = plugins.records
    assert (record.name, record.distribution, record.version) == ("acme", "dist-acme", "2.5")
    assert (record.status, record.cause, record.remedy) == ("loaded", None, None)
    assert (record.target, record.flags, record.built_in) == ("dist_acme_acme", (), False)
    assert record.components == ("encoder/wave",)
    assert (record.specs, record.commands) == (("tiny",), ("hum",))
    assert plugins.components.find("encoder", "wave").qualified_name == "acme/wave"
    assert plugins.named_spec("tiny") is plugins.named_spec("acme/tiny")
    assert plugins.command("hum") is plugins.commands["hum"]
    assert plugins.command(f"{plugins.commands['hum'].plugin}/hum") is plugins.commands["hum"]
    assert plugins.commands["hum"].load() is __import__("os").path.join


def test_a_broken_plugin_leaves_nothing_and_stops_no_other(site: Site) -> None:
    site.add("before", GOOD.format(name="a"))
    site.add("broken", GOOD.format(name="half") + "\n@hookimpl\ndef kokoro_specs(): return 3")
    site.add("later", GOOD.format(name="z"))
    plugins = site.discover()
    record = record_of(plugins, "broken")
    assert record.status == "broken"
    assert record.cause == (
        "`kokoro_specs` of `broken` returned 3; it must return a mapping of names to files"
    )
    assert plugins.components.names("encoder") == ("a", "z")


def test_an_error_names_the_place_in_the_plugin(site: Site) -> None:
    site.add("acme", "\n\ndef boil():\n    return 1 / 0\n\nboil()\n")
    record = record_of(site.discover(), "acme")
    assert record.cause == "ZeroDivisionError: division by zero (dist_acme_acme.py:4)"
    assert record.remedy == (
        "install another version of `dist-acme` 1.0 or tell its author; "
        "`--no-plugin acme` runs without it"
    )


def test_a_missing_dependency_and_a_missing_plugin_have_remedies_of_their_own(site: Site) -> None:
    site.add("needy", "import not_there_at_all")
    site.add("ghost", "")
    (site.folder / "dist_ghost_ghost.py").unlink()
    plugins = site.discover()
    assert "what brings the module `not_there_at_all`" in (record_of(plugins, "needy").remedy or "")
    assert "its module is not installed" in (record_of(plugins, "ghost").remedy or "")


def test_a_keyboard_interrupt_is_the_user_s_and_no_plugin_s(site: Site) -> None:
    site.add("acme", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.discover()


# what may be imported


def test_a_blocked_plugin_is_not_imported(site: Site) -> None:
    site.add("acme", "raise OSError('imported')")
    record = record_of(site.discover(Policy(block=frozenset({"acme"}))), "acme")
    assert (record.status, record.cause) == ("blocked", "`acme` is on the block list")
    assert "KOKORO_BLOCK_PLUGINS" in (record.remedy or "")
    assert "dist_acme_acme" not in sys.modules


def test_only_allowed_distributions_are_imported_and_the_built_in_one_always(site: Site) -> None:
    for name in ("one", "two"):
        site.add(name, GOOD.format(name=name))
    plugins = site.discover(Policy(allow=frozenset({"Dist.One"})), with_built_in=True)
    assert record_of(plugins, "one").status == "loaded"
    two = record_of(plugins, "two")
    assert (two.status, two.cause) == (
        "blocked",
        "`dist-two` is not among the allowed distributions",
    )
    assert "dist_two_two" not in sys.modules
    assert {each.status for each in plugins.records if each.built_in} == {"loaded"}


def test_third_parties_can_be_turned_off_and_the_built_in_plugins_stay(site: Site) -> None:
    site.add("acme", "raise OSError('imported')")
    plugins = site.discover(Policy(third_party=False), with_built_in=True)
    record = record_of(plugins, "acme")
    assert (record.status, record.cause) == ("blocked", "`KOKORO_DISABLE_PLUGINS` is 1")
    assert {each.status for each in plugins.records if each.built_in} == {"loaded"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Policy()),
        ({"KOKORO_BLOCK_PLUGINS": " a, b:c ,,"}, Policy(block=frozenset({"a", "b:c"}))),
        ({"KOKORO_ALLOW_PLUGINS": "x"}, Policy(allow=frozenset({"x"}))),
        ({"KOKORO_ALLOW_PLUGINS": ""}, Policy(allow=frozenset())),
        ({"KOKORO_DISABLE_PLUGINS": "1"}, Policy(third_party=False)),
        ({"KOKORO_DISABLE_PLUGINS": "0"}, Policy()),
    ],
)
def test_the_environment_says_what_may_be_imported(
    variables: dict[str, str], expected: Policy
) -> None:
    assert Policy.from_environment(environment=variables) == expected


def test_what_the_environment_blocks_adds_to_what_the_command_line_blocks() -> None:
    policy = Policy.from_environment(["a"], {"KOKORO_BLOCK_PLUGINS": "b"})
    assert policy.block == {"a", "b"}


def test_a_wrong_value_of_the_switch_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match=r"`KOKORO_DISABLE_PLUGINS` must be 1 .* not 'yes'"):
        Policy.from_environment(environment={"KOKORO_DISABLE_PLUGINS": "yes"})


def test_names_of_the_policy_that_nothing_has_are_told(site: Site) -> None:
    site.add("acme", GOOD.format(name="x"))
    policy = Policy(
        block=frozenset({"acme", "acne", "dist-acme:acme", "other:acme"}), allow=frozenset({"gone"})
    )
    assert site.discover(policy).unmatched == ("acne", "gone", "other:acme")


# versions of the hooks


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("", "loaded"),
        ("KOKORO_API = 1", "loaded"),
        ("KOKORO_API = 2", "loaded"),
        ("KOKORO_API = 3", "incompatible"),
    ],
)
def test_a_plugin_says_for_which_hooks_it_was_written(site: Site, line: str, status: str) -> None:
    site.add("acme", f"{line}\n{GOOD.format(name='x')}")
    record = record_of(site.discover(), "acme")
    assert record.status == status
    assert ("dist_acme_acme" in sys.modules) == (status == "loaded")
    if status == "incompatible":
        assert "python -m pip install --upgrade kokoro-core" in (record.remedy or "")
        assert "than 1.0" in (record.remedy or "")


@pytest.mark.parametrize("value", ["0", "-1", "'1'", "True", "None", "1.0"])
def test_a_version_of_the_hooks_that_is_none_is_refused(site: Site, value: str) -> None:
    site.add("acme", f"KOKORO_API = {value}\n{GOOD.format(name='x')}")
    record = record_of(site.discover(), "acme")
    assert record.status in {"broken", "incompatible"}
    assert record.components == ()


# names that two have


def test_two_distributions_with_one_plugin_name_are_both_refused_naming_both(site: Site) -> None:
    site.add("acme", GOOD.format(name="first"), "aaa")
    site.add("acme", GOOD.format(name="second"), "bbb")
    plugins = site.discover()
    assert [(each.distribution, each.status) for each in plugins.records] == [
        ("aaa", "broken"),
        ("bbb", "broken"),
    ]
    first, second = plugins.records
    assert first.cause == "`acme` is also the name of a plugin of `bbb` 1.0"
    assert second.cause == "`acme` is also the name of a plugin of `aaa` 1.0"
    assert "block one: `--no-plugin aaa:acme`" in (first.remedy or "")
    assert not {"aaa_acme", "bbb_acme"} & set(sys.modules)


def test_blocking_one_of_two_lets_the_other_load(site: Site) -> None:
    site.add("acme", GOOD.format(name="first"), "aaa")
    site.add("acme", GOOD.format(name="second"), "bbb")
    plugins = site.discover(Policy(block=frozenset({"aaa:acme"})))
    assert [each.status for each in plugins.records] == ["blocked", "loaded"]
    assert plugins.components.names("encoder") == ("second",)


def test_one_distribution_cannot_have_a_plugin_name_twice(site: Site) -> None:
    entry_points = "[kokoro.plugins]\nacme = dist_acme_acme\nacme = os\n"
    site.add("acme", GOOD.format(name="x"), entry_points=entry_points)
    assert [each.status for each in site.discover().records] == ["broken", "broken"]


@pytest.mark.parametrize("kind", ["spec", "command", "voice"])
def test_a_spec_command_or_voice_of_two_plugins_is_reached_by_its_qualified_name(
    site: Site, kind: str
) -> None:
    hook = {
        "spec": "def kokoro_specs(): return {'tiny': __import__('pathlib').Path(__file__)}",
        "command": "def kokoro_commands(): return [Command('tiny', '', 'os:getcwd')]",
        "voice": "def kokoro_voices():\n"
        "    from registry import Voice\n"
        "    here = __import__('pathlib').Path(__file__)\n"
        "    return [Voice('tiny', here, here)]",
    }[kind]
    for plugin in ("one", "two"):
        site.add(plugin, GOOD.format(name=plugin) + f"\n@hookimpl\n{hook}\n")
    plugins = site.discover()
    look_ups = {"spec": plugins.named_spec, "command": plugins.command, "voice": plugins.voice}
    look_up: Callable[[str], object] = look_ups[kind]
    assert look_up("one/tiny") is not look_up("two/tiny")
    message = "`tiny` is a .* of more than one plugin; .*: `one/tiny` and `two/tiny`"
    with pytest.raises(AmbiguousName, match=message):
        look_up("tiny")
    for name, other in (("one", "two"), ("two", "one")):
        record = record_of(plugins, name)
        assert (record.status, len(record.flags)) == ("loaded", 1)
        assert f"that of the plugin `{other}` of `dist-{other}` 1.0" in record.flags[0]
        assert f"write `{name}/tiny`" in record.flags[0]


def test_a_plugin_brings_voices_by_short_and_by_qualified_name(site: Site) -> None:
    source = """
    from pathlib import Path
    from registry import Voice

    @hookimpl
    def kokoro_voices():
        return [Voice("alto", Path(__file__), Path(__file__))]
    """
    site.add("acme", GOOD.format(name="wave") + dedent(source))
    plugins = site.discover()
    [record] = plugins.records
    assert (record.status, record.voices) == ("loaded", ("alto",))
    found = plugins.voice("alto")
    assert found is not None
    assert (found.name, found.plugin) == ("alto", "acme")
    assert plugins.voice("acme/alto") is found
    assert plugins.voice("bass") is None


def test_a_component_s_short_name_stays_with_the_built_in_one(site: Site) -> None:
    site.add("aaa", GOOD.format(name="transformer"))
    plugins = site.discover(with_built_in=True)
    assert plugins.components.find("encoder", "transformer").plugin == "transformer"
    assert plugins.components.find("encoder", "aaa/transformer").plugin == "aaa"
    assert {"aaa/transformer", "transformer"} <= set(plugins.components.names("encoder"))
    assert "write `aaa/transformer`" in record_of(plugins, "aaa").flags[0]
    built_in = [each.flags for each in plugins.records if each.built_in]
    assert built_in
    assert not any(built_in)


def test_another_s_settings_cannot_be_rewritten(site: Site) -> None:
    hook = "@hookimpl\ndef kokoro_migrations(): return [Migration('encoder', '{}', 1)]\n"
    site.add("owner", GOOD.format(name="wave") + hook.format("wave"))
    site.add("other", GOOD.format(name="x") + hook.format("wave"))
    plugins = site.discover()
    assert record_of(plugins, "owner").status == "loaded"
    other = record_of(plugins, "other")
    assert (other.status, other.components) == ("broken", ())
    assert "migration of `encoder/wave` has a name that the plugin `owner`" in (other.cause or "")
    assert len(plugins.migrations) == 1


def test_the_order_of_the_entry_points_changes_nothing(site: Site) -> None:
    spec = "\n@hookimpl\ndef kokoro_specs(): return {'t': __import__('pathlib').Path(__file__)}\n"
    site.add("a", GOOD.format(name="x") + spec)
    site.add("b", GOOD.format(name="x") + spec)
    site.add("c", "raise ValueError('c')")
    site.add("d", GOOD.format(name="d"), "d1")
    site.add("d", GOOD.format(name="d"), "d2")
    orders = list(itertools.permutations(site.entry_points()))
    results = [discover(entry_points=order) for order in orders]
    seen = {
        (
            tuple(
                (each.name, each.distribution, each.status, each.cause, each.remedy, each.flags)
                for each in plugins.records
            ),
            plugins.components.names("encoder"),
            tuple(plugins.specs),
        )
        for plugins in results
    }
    assert len(results) == 120
    assert len(seen) == 1
    [(records, _, specs)] = seen
    assert [each[2] for each in records] == ["loaded", "loaded", "broken", "broken", "broken"]
    assert specs == ("a/t", "b/t")
    with pytest.raises(AmbiguousComponent):
        results[0].components.find("encoder", "x")


def test_an_unknown_named_spec_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNamedSpec, match=r"`tiny` is not a named spec; available: none\."):
        Plugins().named_spec("tiny")


def test_an_unknown_named_spec_hints_at_the_plugins_that_are_not_loaded(site: Site) -> None:
    site.add("apart", "1 / 0")
    one = site.discover()
    hint = (
        r"available: none; the plugin 'apart' is broken \(ZeroDivisionError.*`kokoro-core plugins`"
    )
    for name in ("tiny", "apart/tiny"):
        with pytest.raises(UnknownNamedSpec, match=hint):
            one.named_spec(name)
    for number in range(6):
        site.add(f"b{number}", "KOKORO_API = 3")
    many = site.discover()
    hint = r"not loaded: 'apart' \(broken\), 'b0' \(incompatible\), .* and 2 more, see"
    with pytest.raises(UnknownNamedSpec, match=hint):
        many.named_spec("tiny")
    with pytest.raises(UnknownNamedSpec, match=r"available: none; the plugin 'b1' is incompatible"):
        many.named_spec("b1/tiny")
    with pytest.raises(UnknownNamedSpec, match=r"available: none\.$"):
        many.named_spec("other/tiny")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("not_there_at_all:run", "there is no module `not_there_at_all`"),
        ("os.not_there:run", "there is no module `os.not_there`"),
        ("os:not_there", "`os` has no `not_there`"),
        ("os:path.not_there", "`os` has no `path.not_there`"),
        ("os:sep", "`sep` is not a function"),
    ],
)
def test_a_command_that_leads_nowhere_names_its_plugin_and_its_target(
    site: Site, target: str, why: str
) -> None:
    hook = f"\n@hookimpl\ndef kokoro_commands(): return [Command('hum', '', '{target}')]\n"
    site.add("acme", GOOD.format(name="acme") + hook)
    command = site.discover().command("hum")
    assert command is not None
    message = f"the command `hum` of the plugin `acme` leads to `{target}`, but {why}; "
    with pytest.raises(InvalidPlugin, match=f"^{re.escape(message)}"):
        command.load()


def test_a_command_is_imported_when_it_is_loaded(site: Site) -> None:
    site.add("acme", "import nowhere_to_be")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be"):
        Command("x", "", "dist_acme_acme:run").load()
    (site.folder / "later.py").write_text("def run(): return 3")
    assert Command("x", "", "later:run").load()() == 3


def test_the_metadata_of_a_distribution_are_parsed_once_for_all_its_plugins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[str] = []
    parse = metadata.PathDistribution.metadata.fget  # type: ignore[attr-defined]  # a property

    def noted(dist: metadata.PathDistribution) -> Any:
        found = parse(dist)
        parsed.append(found["Name"])
        return found

    monkeypatch.setattr(metadata.PathDistribution, "metadata", property(noted))
    of_the_box = [each for each in discover().records if each.distribution == "kokoro-core"]
    assert len(of_the_box) > 20
    assert parsed.count("kokoro-core") == len(("name", "version"))


def test_the_built_in_plugins_come_through_the_entry_points_and_load() -> None:
    plugins = installed_plugins()
    assert installed_plugins() is plugins
    declared = {each.name for each in metadata.entry_points(group="kokoro.plugins")}
    assert {each.name for each in plugins.records} == declared
    assert [each.cause for each in plugins.records if each.status != "loaded"] == []
    assert {"encoder", "decoder", "positional_encoding"} <= set(plugins.components.slots())


def test_names_of_distributions_have_one_spelling() -> None:
    assert canonical("Kokoro__.Core") == canonical("kokoro-core") == "kokoro-core"


def test_a_stranger_s_text_is_shown_on_one_line_without_control_codes() -> None:
    assert one_line("a\n b\x1b[31m") == "a b\\x1b[31m"
    assert one_line("x" * 500) == "x" * 399 + "…"
