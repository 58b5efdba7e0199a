"""What `compare` and `demo` refuse is refused before any work, and leaves nothing behind."""

import json
import shutil

import pytest

from kokoro_core import load_spec
from kokoro_core.cli.app import main
from kokoro_plugins.training.comparison import compare as comparing
from kokoro_plugins.training.demo import demo as demonstrating
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.settings import TrainingSettings
from tests.kokoro_plugins.training.built_corpus import corpus_of
from tests.kokoro_plugins.training.conftest import SMALL

SETS = [f"{name}={value}" for name, value in SMALL.items()]
CONTENDER = "voice " + " ".join(f"--set {each}" for each in SETS)
ON_CPU = ["--steps", "2", "--precision", "32", "--device", "cpu"]
SMALL_DEMO = [each for setting in SETS for each in ("--set", setting)]


def run(*args):
    """Run the command line and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in args])
    return stop.value.code or 0


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A folder of six sentences."""
    path = tmp_path_factory.mktemp("speech") / "corpus"
    corpus_of(load_spec("voice"), "espeak", path, sentences=6)
    return path


@pytest.fixture
def compare(speech, tmp_path):
    """Compare what is given, into `tmp_path / "runs" / "out"`."""

    def compared(*contenders, options=(), out=tmp_path / "runs" / "out"):
        known = ["--data", speech, "--holdout", "2", "--seeds", "1", "--looks", "1"]
        return run("compare", *contenders, "--out", out, *ON_CPU, *known, *options)

    return compared


@pytest.fixture
def demo(tmp_path):
    """Start the demo, into `tmp_path / "runs" / "out"`."""

    def started(*options):
        known = ["--spec", "voice", "--out", tmp_path / "runs" / "out", "--sentences", "6"]
        quick = ["--set", "vocoder.iterations=2"]
        return run("demo", *known, *ON_CPU, *SMALL_DEMO, *quick, *options)

    return started


@pytest.mark.parametrize(
    ("name", "value"), [("warmup_steps", -1), ("validate_every", 0), ("devices", 0)]
)
def test_settings_that_count_have_a_least_value(name, value):
    with pytest.raises(ValueError, match=rf"^`{name}` must be {value + 1} or more, not {value}\.$"):
        TrainingSettings(**{name: value})


def test_a_warmup_below_zero_within_quotes_is_refused(compare, tmp_path, capsys):
    assert compare(f"{CONTENDER} --warmup -1") == 1
    assert "--warmup -1: warmup: must be at least 0, got -1" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_contenders_that_differ_in_blanks_alone_are_the_same(compare, capsys):
    assert compare(CONTENDER, CONTENDER.replace(" ", "  ")) == 1
    assert "stands twice; each contender must differ from the others." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--holdout", "6"], 1, "`holdout` must be from 0 to 5, not 6"),
        (["--data", "/nowhere"], 1, "`/nowhere` is not a corpus that fits"),
        (["--corpus", "foldr"], 1, "`foldr` is not a registered corpus, did you mean `folder`?"),
        (["--corpus", ""], 1, "`` is not a registered corpus"),
        (["--looks", "10000000000"], 2, "1000"),
        (["--seeds", "10000000000"], 2, "1000"),
    ],
)
def test_a_comparison_that_cannot_start_leaves_no_folder(
    compare, tmp_path, capsys, options, status, message
):
    assert compare(CONTENDER, options=options) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_kind_of_corpus_without_its_place_is_refused(tmp_path, capsys):
    out = tmp_path / "out"
    assert run("compare", CONTENDER, "--corpus", "folder", "--out", out, *ON_CPU) == 1
    assert "`--corpus folder` is read from where `--data` says" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("command", [["compare", CONTENDER], ["demo", "--spec", "voice"]])
def test_holding_out_all_is_refused_before_the_corpus_is_made(command, tmp_path, capsys):
    sizes = ["--sentences", "6", "--holdout", "6"]
    assert run(*command, "--out", tmp_path / "out", *ON_CPU, *sizes) == 1
    said = capsys.readouterr().err
    assert "`--holdout 6` of `--sentences 6` leaves none to train on; hold out 5 or fewer." in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [["compare", CONTENDER], ["demo", "--spec", "voice"]])
def test_a_corpus_that_is_too_large_leaves_no_folder(command, tmp_path, capsys):
    out = tmp_path / "runs" / "out"
    assert run(*command, "--out", out, *ON_CPU, "--sentences", "1000000000") == 1
    assert "The corpus `espeak` refuses `sentences`" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("module", "command"),
    [(comparing, ["compare", CONTENDER]), (demonstrating, ["demo", "--spec", "voice"])],
)
def test_a_spec_with_side_inputs_is_refused_before_any_data_is_read(
    module, command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        "kokoro_plugins.training.resume.starting.refusal_of_side_inputs",
        lambda spec: f"`{spec.name}` needs the side input `speaker`",
    )
    assert run(*command, "--out", tmp_path / "out", *ON_CPU) == 1
    assert "`voice` needs the side input `speaker`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", comparing.FILES)
def test_a_folder_where_compare_writes_a_file_is_refused_before_it_trains(
    compare, tmp_path, monkeypatch, capsys, name
):
    monkeypatch.setattr(comparing, "train_one", lambda *_: pytest.fail("was trained"))
    (tmp_path / "runs" / "out" / name).mkdir(parents=True)
    assert compare(CONTENDER) == 1
    assert f"{name}` is a folder, where training writes a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*demonstrating.FILES, *demonstrating.FOLDERS])
def test_what_stands_where_the_demo_writes_is_refused_before_it_trains(
    demo, tmp_path, monkeypatch, capsys, name
):
    monkeypatch.setattr(demonstrating, "fit", lambda *_, **__: pytest.fail("was trained"))
    path = tmp_path / "runs" / "out" / name
    path.parent.mkdir(parents=True)
    if name in demonstrating.FILES:
        path.mkdir()
    else:
        path.write_text("mine")
    there, wanted = ("folder", "file") if path.is_dir() else ("file", "folder")
    assert demo("--holdout", "2") == 1
    said = capsys.readouterr().err
    assert f"`{path}` is a {there}, where training writes a {wanted} at its end" in said


@pytest.mark.parametrize("kind", ["compare", "demo"])
def test_an_output_that_is_a_file_is_named(compare, demo, tmp_path, capsys, kind):
    (tmp_path / "runs").write_text("a file")
    assert (compare(CONTENDER) if kind == "compare" else demo("--holdout", "2")) == 1
    assert f"must be a folder, but `{tmp_path / 'runs'}` is a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        *(b"x", b"", b"[]", b"{}", b"null", b"1", b"\xff\xfe", b"[" * 100_000),
        *(b'{"identity": 1}', b'{"identity": {}, "run": {}}'),
        b'{"identity": {}, "run": {"looks": [1]}}',
    ],
    ids=lambda line: line[:20].decode("latin-1"),
)
def test_a_line_that_is_no_run_is_refused_with_its_place(compare, tmp_path, capsys, line):
    path = tmp_path / "runs" / "out" / "runs.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(line + b"\n")
    assert compare(CONTENDER) == 1
    said = capsys.readouterr().err
    assert f"`{path}`, line 1, is not a run that `compare` has written: b'" in said
    assert "delete the line, or give another `--out`." in said
    assert path.read_bytes() == line + b"\n"


def test_a_run_after_one_that_was_broken_off_has_a_line_of_its_own(compare, tmp_path, monkeypatch):
    path = tmp_path / "runs" / "out" / "runs.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"identity": {"spec": "broken o\xc3')
    assert compare(CONTENDER) == 0
    [line] = path.read_text("utf-8").splitlines()
    assert json.loads(line)["run"]["label"] == CONTENDER
    monkeypatch.setattr(comparing, "train_one", lambda *_: pytest.fail("was trained again"))
    assert compare(CONTENDER) == 0


@pytest.mark.parametrize("name", ["[/b]x", ":snake:"])
def test_a_folder_whose_name_is_markup_is_printed_as_it_is(
    compare, demo, speech, tmp_path, capsys, name
):
    out = tmp_path / name
    small = ["--data", speech, "--holdout", "2", *SMALL_DEMO, *ON_CPU]
    assert compare(CONTENDER, out=out / "a") == 0
    assert f"{out / 'a' / 'comparison.md'}: the table" in capsys.readouterr().out
    assert run("train", "voice", "--out", out / "b", *small) == 0
    assert f"{out / 'b' / 'model.safetensors'}: the model" in capsys.readouterr().out


def test_what_the_demo_prints_of_a_folder_is_its_name(tmp_path, capsys):
    plain_console().print(f"[/b] [bold] :snake: {tmp_path}", soft_wrap=True)
    assert capsys.readouterr().out == f"[/b] [bold] :snake: {tmp_path}\n"


def test_a_demo_that_breaks_off_can_be_started_again(demo, speech, tmp_path, monkeypatch):
    monkeypatch.setattr(demonstrating, "make_corpus", lambda *_: int("broken off"))
    assert demo("--holdout", "2") == 1
    assert not (tmp_path / "runs").exists()
    monkeypatch.undo()
    shutil.copytree(speech, tmp_path / "runs" / "out" / "corpus")
    assert demo("--holdout", "2") == 0
