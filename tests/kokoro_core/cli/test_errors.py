"""What the user can mend is one line; a bug keeps its traceback; plugins bring commands."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Annotated

import pytest
import typer

from kokoro_core.cli import session
from kokoro_core.cli.app import main
from kokoro_core.cli.errors import lines_of
from kokoro_core.cli.session import session_of
from kokoro_core.errors import AudioMismatch, CheckpointError, CorpusError, FrontendError
from kokoro_core.spec.problems.problem import Problem, SpecError
from registry import Command, PluginRecord, Plugins
from registry.errors import UnknownComponent


def missing(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (SpecError([Problem("a", "b", "c"), Problem("d", "", "e")]), 2),
        (FrontendError("no"), 1),
        (CorpusError("one\ntwo\nthree"), 3),
        (CheckpointError("no"), 1),
        (AudioMismatch("no"), 1),
        (ValueError("no"), 1),
        (UnknownComponent("encoder", "x", []), 1),
        (FileNotFoundError(2, "No such file or directory", "x.yaml"), 1),
        (PermissionError(13, "Permission denied", "x.yaml"), 1),
        (FileNotFoundError("There is no spec file `x`."), 1),
        (ValueError(), 1),
    ],
)
def test_an_error_that_a_user_can_mend_becomes_lines(error: Exception, lines: int) -> None:
    found = lines_of(error)
    assert found is not None
    assert len(found) == lines
    assert all(found)


@pytest.mark.parametrize(
    "error", [KeyError("x"), TypeError("x"), RuntimeError("x"), AssertionError(), missing("mine")]
)
def test_what_may_be_a_bug_is_left_alone(error: Exception) -> None:
    assert lines_of(error) is None


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("espeakng_loader", "speech"),
        ("espeakng_loader.data", "speech"),
        ("soundfile", "speech"),
        ("lightning", "train"),
        ("matplotlib.pyplot", "train"),
    ],
)
def test_a_module_of_an_extra_names_what_to_install(module: str, extra: str) -> None:
    [line] = lines_of(missing(module)) or []
    assert (
        line
        == f"`{module}` is not installed; python -m pip install 'kokoro-core[{extra}]' brings it."
    )


def test_a_system_error_names_its_file() -> None:
    assert lines_of(IsADirectoryError(21, "Is a directory", "a/b")) == ["`a/b`: Is a directory."]


# commands of plugins


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Install a plugin with commands, whose module is imported when one runs."""
    module = types.ModuleType("acme_commands")
    names = ("hum", "fail", "stop", "crash", "unloadable")
    found = {name: Command(name, f"Help of {name}.", f"acme_commands:{name}") for name in names}
    monkeypatch.setattr(session, "installed_plugins", lambda: Plugins(commands=found))
    monkeypatch.setitem(sys.modules, "acme_commands", module)
    monkeypatch.delenv("KOKORO_DEBUG", raising=False)

    def hum(ctx: typer.Context, tune: str, times: Annotated[int, typer.Option(min=1)] = 1) -> None:
        """Hum a tune."""
        assert session_of(ctx).plugins.commands
        print(" ".join([tune] * times))

    def fail() -> None:
        raise CorpusError("`data` is empty.")

    def stop() -> None:
        raise typer.Exit(1)

    def crash() -> None:
        raise RuntimeError("a bug")

    for each in (hum, fail, stop, crash):
        setattr(module, each.__name__, each)
    return module


def status_of(*args: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    return caught.value.code


@pytest.mark.usefixtures("commands")
def test_a_plugin_s_command_gets_its_arguments_and_the_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("hum", "la", "--times", "3") == 0
    assert capsys.readouterr().out == "la la la\n"


@pytest.mark.usefixtures("commands")
def test_a_plugin_s_command_has_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("hum", "--help") == 0
    out = capsys.readouterr().out
    assert "Usage: kokoro-core hum" in out
    assert "--times" in out


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize("args", [("hum",), ("hum", "la", "--times", "0"), ("hum", "--zzz", "la")])
def test_a_plugin_s_command_refuses_wrong_usage_with_2(
    args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*args) == 2
    assert "Usage: kokoro-core hum" in capsys.readouterr().err


@pytest.mark.usefixtures("commands")
def test_a_plugin_s_command_is_listed_without_being_imported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "acme_commands")
    assert status_of("--help") == 0
    assert "Help of unloadable." in capsys.readouterr().out
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("acme_commands")


@pytest.mark.parametrize("help_", ["[/x] help", "a [red]bold[/red] \\[claim]"])
def test_help_that_looks_like_markup_is_shown_as_it_is(
    help_: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Plugins(commands={"odd": Command("odd", help_, "os:getcwd")})
    monkeypatch.setattr(session, "installed_plugins", lambda: found)
    assert status_of("--help") == 0
    assert help_ in capsys.readouterr().out
    assert status_of("odd", "--help") == 0
    assert help_ in capsys.readouterr().out


@pytest.mark.usefixtures("commands")
def test_an_exit_status_of_a_plugin_s_command_is_kept() -> None:
    assert status_of("stop") == 1


@pytest.mark.usefixtures("commands")
def test_a_known_error_in_a_command_is_a_line_and_a_bug_is_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("fail") == 1
    assert capsys.readouterr().err == "`data` is empty.\n"
    with pytest.raises(RuntimeError, match="a bug"):
        main(["crash"])


SOURCE = """\
def crash(kind):
    if kind == "torch":
        import torch
        torch.zeros(2) @ torch.zeros(3)
    {}[kind]
"""


@pytest.mark.parametrize(
    ("kind", "line", "message"),
    [("key", 5, "KeyError: 'key'"), ("torch", 4, "RuntimeError: inconsistent tensor size")],
)
def test_what_a_plugin_from_outside_raises_names_it_and_its_line(
    kind: str,
    line: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "acme_crashing.py"
    file.write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_crashing", raising=False)
    module = importlib.import_module("acme_crashing")

    def command() -> None:
        module.crash(kind)

    monkeypatch.setattr(module, "command", command, raising=False)
    found = Plugins(
        records=(PluginRecord("acme", "acme_crashing:plugin", "acme-crashing", "1.2"),),
        commands={"crash": Command("crash", "Crash.", "acme_crashing:command")},
    )
    monkeypatch.setattr(session, "installed_plugins", lambda: found)
    assert status_of("crash") == 1
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"The plugin `acme` of `acme-crashing` 1.2 raised {message}")
    assert f"in `crash` ({file}, line {line}); `kokoro-core --debug …` shows" in said
    with pytest.raises((KeyError, RuntimeError)):
        main(["--debug", "crash"])


@pytest.mark.usefixtures("commands")
def test_debugging_shows_where_a_known_error_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CorpusError):
        main(["--debug", "fail"])
    monkeypatch.setenv("KOKORO_DEBUG", "1")
    with pytest.raises(CorpusError):
        main(["fail"])
    monkeypatch.setenv("KOKORO_DEBUG", "0")
    assert status_of("fail") == 1


def test_no_error_of_the_built_in_commands_shows_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KOKORO_DEBUG", raising=False)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "syntax.yaml").write_text("a: [")
    (tmp_path / "not.safetensors").write_bytes(b"hello")
    for args in (
        ("check", str(tmp_path / "bytes.yaml")),
        ("check", str(tmp_path)),
        ("resolve", str(tmp_path / "syntax.yaml")),
        ("describe", str(tmp_path / "none.yaml")),
        ("resolve", "small", "--set", "encoder.type=cnn"),
        ("resolve", "small", "--set", "encoder.hidden_dim=100"),
        ("synthesize", str(tmp_path / "none.safetensors"), "hello"),
        ("synthesize", str(tmp_path / "not.safetensors"), "hello"),
        ("synthesize", str(tmp_path / "model.pickle"), "hello"),
    ):
        assert status_of(*args) == 1, args
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err
        assert "Traceback" not in captured.err
