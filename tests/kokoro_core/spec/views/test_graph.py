"""The graph of a model: what is in it, and that others can read it."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.params.features import Feature
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.views.drawing import dot, mermaid
from kokoro_core.spec.views.flows import Edge
from kokoro_core.spec.views.graph import Graph, Node, model_graph
from registry import installed_plugins
from tests.kokoro_core.spec.toys import PLUGINS, LinePredictor, RowDecoder, WideEncoder, minimal

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("small", "parallel")
WITH_POSTNET = {"postnet": {"type": "conv"}}


def graph_of(name: str, **overrides: object) -> Graph:
    return model_graph(load_spec(name, overrides=overrides), installed_plugins().components)


@pytest.mark.parametrize("name", NAMES)
def test_the_drawings_are_those_that_were_looked_at(name: str) -> None:
    """`KOKORO_NEW_PICTURES=1` writes them anew; look at them before they are kept."""
    made = {"mmd": mermaid(graph_of(name)), "dot": dot(graph_of(name), name)}
    for suffix, text in made.items():
        file = GOLDEN / f"{name}.{suffix}"
        if os.environ.get("KOKORO_NEW_PICTURES"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")


def test_shapes_are_those_of_the_tensors() -> None:
    spec = load_spec("mixed", overrides={"hidden_dim": 32, "mel_dim": 20, "audio": None})
    model = KokoroModel.from_spec(spec).eval().acoustic
    indices, durations = torch.ones(2, 3, dtype=torch.int64), torch.full((2, 3), 2)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    hidden = model.encode(indices, mask, {}).hidden
    memory = model.build_memory(hidden, durations, mask, 6, {})
    labels = {
        (each.source, each.target): each.label
        for each in model_graph(spec, installed_plugins().components).edges
    }

    def shape(tensor: torch.Tensor, steps: str) -> str:
        return f"(B, {steps}, {tensor.shape[2]})"

    assert labels["encoder", "regulator"] == f"hidden {shape(hidden, 'N')}"
    assert labels["regulator", "decoder"] == f"memory {shape(memory.vectors, 'T')}, plan"
    assert labels["mel_specs", "decoder"] == "mel_specs (B, T, 20)"
    assert labels["duration_predictor", "losses"] == "duration_pred (B, N)"


def test_parts_inputs_and_losses_are_those_of_the_spec() -> None:
    full = graph_of("small", postnet={"type": "conv"}, loss={"mel_mse": 0.5, "stop": 0.0})
    assert [each.name for each in full.nodes] == [
        *("phoneme_indices", "durations", "mel_specs", "encoder", "duration_predictor"),
        *("regulator", "decoder", "postnet", "mel", "stop", "losses"),
    ]
    losses = full.nodes[-1].lines
    assert losses == ("losses", "mel_l1 × 1", "mel_mse × 0.5", "duration × 1")
    edges = {(each.source, each.target): each for each in full.edges}
    assert edges["decoder", "losses"].label == "coarse mel (B, T, 80), stop_logits (B, T)"
    assert edges["decoder", "losses"].only_training
    assert not edges["decoder", "postnet"].only_training
    assert "stop" not in [each.name for each in graph_of("parallel").nodes]


def test_a_decoder_that_reads_phonemes_has_no_regulator_before_it() -> None:
    spec = load_spec(minimal(regulator=None, duration_predictor=None), plugins=PLUGINS)
    found = model_graph(spec, PLUGINS.components)
    assert Edge("encoder", "decoder", "hidden (B, N, 8)") in found.edges
    assert {"regulator", "durations"}.isdisjoint(each.name for each in found.nodes)
    assert "duration × 1" not in found.nodes[-1].lines


class SpeakerEncoder(WideEncoder):
    """Takes a speaker."""

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"speaker", "noise"})


def test_side_inputs_and_nested_components_are_drawn() -> None:
    stack = {"type": "stack", "parts": [{"type": "wide", "norm": {"type": "rms"}}]}
    found = model_graph(load_spec(minimal(encoder=stack), plugins=PLUGINS), PLUGINS.components)
    encoder = next(each for each in found.nodes if each.name == "encoder")
    assert encoder.lines[1:4] == (
        "toys/stack",
        "parts[0]: toys/wide",
        "parts[0].norm: toys/rms",
    )
    spec = load_spec(minimal(), plugins=PLUGINS).model_copy(update={"encoder": SpeakerEncoder()})
    found = model_graph(spec, PLUGINS.components)
    assert Edge("side_speaker", "encoder", "speaker") in found.edges
    assert Node("side_speaker", "input", ("speaker", "side input")) in found.nodes
    assert "noise" not in mermaid(found)


class FlowDecoder(RowDecoder):
    """Learns by a loss of its own."""

    @property
    def own_losses(self) -> tuple[str, ...]:
        return ("flow_matching",)


class LikelyPredictor(LinePredictor):
    """Learns by two losses of its own."""

    @property
    def own_losses(self) -> tuple[str, ...]:
        return ("nll", "prior")


def test_losses_of_the_parts_own_are_drawn_in_place_of_the_framework_s() -> None:
    spec = load_spec(minimal(postnet={"type": "bare"}), plugins=PLUGINS)
    own = {"decoder": FlowDecoder(), "duration_predictor": LikelyPredictor()}
    found = model_graph(spec.model_copy(update=own), PLUGINS.components)
    assert found.nodes[-1].lines == ("losses", "stop × 1", "nll", "prior", "flow_matching")
    labels = {each.source: each.label for each in found.edges if each.target == "losses"}
    assert labels == {
        "decoder": "stop_logits (B, T), flow_matching",
        "duration_predictor": "nll, prior",
    }
    assert "flow_matching" in mermaid(found)
    assert "flow_matching" in dot(found, "own")


def test_what_an_aligner_sees_and_makes_flows_in_training_alone() -> None:
    found = graph_of("quick", aligner={"type": "forward_sum"})
    edges = {(each.source, each.target): each for each in found.edges}
    assert "durations" not in [each.name for each in found.nodes]
    assert edges["mel_specs", "aligner"] == Edge(
        "mel_specs", "aligner", "mel_specs (B, T, 80)", only_training=True
    )
    assert edges["encoder", "aligner"].only_training
    assert edges["aligner", "regulator"].label == "durations (B, N)"
    assert edges["aligner", "regulator"].only_training
    assert edges["aligner", "losses"].label == "forward_sum, binarise"
    assert {"aligner.forward_sum × 1", "aligner.binarise × 1"} <= set(found.nodes[-1].lines)


def test_a_conditioner_is_drawn_where_its_vector_goes() -> None:
    speaker = {"type": "lookup", "feature": "speaker", "dim": 6, "add": True}
    spec = {"speakers": ["anna", "ben"], "conditioners": {"speaker": speaker}}
    found = graph_of("quick", **spec)
    assert Node("side_speaker", "input", ("speaker", "one a row")) in found.nodes
    assert Edge("side_speaker", "conditioners.speaker", "speaker") in found.edges
    label = "speaker_embedding (B, 6), added to hidden"
    assert Edge("conditioners.speaker", "encoder", label) in found.edges


def test_adaptors_are_drawn_with_the_steps_that_they_work_on_and_what_they_learn_from() -> None:
    pitch = {"type": "variance"}
    adaptors = {"token_adaptors": {"pitch": pitch}, "frame_adaptors": {"energy": pitch}}
    per_frame = {"per": "frame"}
    found = graph_of("quick", features={"pitch": per_frame, "energy": per_frame}, **adaptors)
    edges = {(each.source, each.target): each for each in found.edges}
    assert edges["token_adaptors.pitch", "regulator"].label == "x (B, N, 128)"
    assert edges["regulator", "frame_adaptors.energy"].label == "memory (B, T, 128)"
    assert edges["frame_adaptors.energy", "decoder"].label == "x (B, T, 128)"
    assert edges["side_pitch", "token_adaptors.pitch"].only_training
    assert edges["token_adaptors.pitch", "losses"].label == "prediction"


def test_the_recording_that_a_part_follows_is_drawn_once() -> None:
    found = model_graph(
        load_spec(minimal(), plugins=PLUGINS).model_copy(update={"encoder": FollowingEncoder()}),
        PLUGINS.components,
    )
    inputs = [each for each in found.nodes if each.kind == "input"]
    assert Node("side_reference", "input", ("reference", "one a recording")) in inputs
    assert "reference_padding_mask" not in mermaid(found)


class FollowingEncoder(WideEncoder):
    """Follows a recording."""

    @property
    def features(self) -> dict[str, Feature]:
        recording = Feature(per="recording", width=80)
        return {"reference": recording, "reference_padding_mask": Feature(per="recording")}


def test_a_stop_token_is_drawn_of_a_decoder_that_has_a_stop_head() -> None:
    names = {each.name for each in graph_of("non-attentive-tacotron-small").nodes}
    assert "stop" not in names
    assert "stop" in {each.name for each in graph_of("latent-small").nodes}


STRING = r'"((?:[^"\\]|\\.)*)"'
NODE = re.compile(rf"    {STRING} \[label={STRING}((?:, \w+=(?:\w+|{STRING}))*)\];")
EDGE = re.compile(rf"    {STRING} -> {STRING} \[label={STRING}(, style=dashed)?\];")
ESCAPE = {"n": "\n", "\\": "\\", '"': '"'}


def meant(quoted: str) -> str:
    """Return what Graphviz shows for what stands between two quotes."""
    return html.unescape(re.sub(r"\\(.)", lambda found: ESCAPE[found[1]], quoted))


def read_dot(text: str) -> tuple[str, dict[str, tuple[str, ...]], list[Edge]]:
    """Return title, nodes and edges of a DOT file: every line must be of its grammar."""
    first, setting, *statements, last = text.splitlines()
    title = re.fullmatch(rf"digraph {STRING} {{", first)
    assert title is not None
    assert (setting, last) == ("    node [shape=box];", "}")
    nodes: dict[str, tuple[str, ...]] = {}
    edges: list[Edge] = []
    for line in statements:
        if node := NODE.fullmatch(line):
            nodes[meant(node[1])] = tuple(meant(node[2]).split("\n"))
        else:
            edge = EDGE.fullmatch(line)
            assert edge is not None, line
            edges.append(Edge(meant(edge[1]), meant(edge[2]), meant(edge[3]), bool(edge[4])))
    return meant(title[1]), nodes, edges


@pytest.mark.parametrize("overrides", [{}, WITH_POSTNET])
@pytest.mark.parametrize("name", sorted(installed_plugins().specs))
def test_dot_says_what_the_graph_says(name: str, overrides: dict[str, object]) -> None:
    found = graph_of(name, **overrides)
    title, nodes, edges = read_dot(dot(found, name))
    assert title == name
    assert nodes == {each.name: each.lines for each in found.nodes}
    assert edges == found.edges


def test_texts_that_mean_something_in_dot_and_mermaid_are_escaped() -> None:
    odd = Graph(
        [Node("a", "part", ('<b> & "c"', "&lt;\\n\\")), Node("b", "output", ("#1;",))],
        [Edge("a", "b", "x<y")],
    )
    title, nodes, edges = read_dot(dot(odd, '<&>"\\'))
    assert title == '<&>"\\'
    assert nodes == {"a": ('<b> & "c"', "&lt;\\n\\"), "b": ("#1;",)}
    assert edges == odd.edges
    assert mermaid(odd).splitlines() == [
        "flowchart TD",
        '    a["#lt;b#gt; & #quot;c#quot;<br/>&lt;\\n\\"]',
        '    b(["#35;1;"])',
        '    a -->|"x#lt;y"| b',
    ]


def test_the_drawing_is_the_same_in_every_process_and_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['kokoro-core', 'graph', 'small', '--out', sys.argv[1]]\n"
        "from kokoro_core.cli.app import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n"
    )
    out = tmp_path / "small.dot"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONHASHSEED": "7"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.read_text(encoding="utf-8") == dot(graph_of("small"), "small")


@pytest.mark.parametrize("out", ["x.png", "x", "x.yaml", "x.pdf"])
def test_a_file_of_something_else_is_refused_and_not_written(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["graph", "small", "--out", str(tmp_path / out)])
    assert caught.value.code == 2
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert ".dot" in told
    assert "kokoro-core graph SPEC --format dot | dot -Tpng > model.png" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["pdf", "png", "", "Mermaid"])
def test_a_format_that_there_is_not_is_refused_with_the_way_to_a_picture(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["graph", "small", "--format", form])
    assert caught.value.code == 2
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"--format {form}".strip() in told
    assert "write mermaid, dot or svg" in told
    assert "--format dot | dot -Tpng > model.png" in told


@pytest.mark.parametrize("arguments", [("x.gv",), ("x.txt", "--format", "dot")])
def test_dot_is_written_where_the_suffix_or_the_format_says_so(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / arguments[0]
    with pytest.raises(SystemExit) as caught:
        main(["graph", "small", "--out", str(out), *arguments[1:]])
    assert not caught.value.code
    assert out.read_text(encoding="utf-8") == dot(graph_of("small"), "small")


@pytest.mark.parametrize("arguments", [("x.mmd",), ("x.txt", "--format", "mermaid")])
def test_mermaid_is_written_where_the_suffix_or_the_format_says_so(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / arguments[0]
    with pytest.raises(SystemExit) as caught:
        main(["graph", "small", "--out", str(out), *arguments[1:]])
    assert not caught.value.code
    assert out.read_text() == mermaid(graph_of("small"))
