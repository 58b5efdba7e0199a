"""`POST /v1/audio/speech` with the official client, held against what `speak` gives."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile
import torch

from kokoro_core import KokoroModel
from kokoro_core.speaking.sound_files import as_16_bit
from kokoro_core.speech import speak
from kokoro_plugins.serve.app import speech_app
from kokoro_plugins.serve.encoding import encoded
from tests.kokoro_plugins.serve.conftest import Held, Running, running, wanted

pytest.importorskip("openai")

import openai

TEXT = "It is here. Why would anybody wait?\n\nYes!"


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def samples_of(data: bytes) -> bytes:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22050)
        return bytes(file.readframes(file.getnframes()))


def assert_near(one: bytes, other: bytes, steps: int = 1) -> None:
    """Compare 16-bit samples: a row of a batch may differ in the last bits of a float."""
    left, right = (np.frombuffer(each, "<i2").astype(int) for each in (one, other))
    assert left.shape == right.shape
    assert np.abs(left - right).max() <= steps


def test_the_official_client_gets_the_sound_that_synthesize_makes(
    client: openai.OpenAI, model: KokoroModel
) -> None:
    answer = client.audio.speech.create(
        model="tiny", voice="default", input="It is here.", response_format="wav"
    )
    expected = as_16_bit(speak(model, "It is here.").samples)
    assert samples_of(answer.content) == expected
    assert answer.response.headers["content-type"] == "audio/wav"
    assert answer.response.headers["x-sample-rate"] == "22050"


def test_a_text_that_is_not_streamed_is_one_sound_with_its_length_and_pauses(
    client: openai.OpenAI, model: KokoroModel
) -> None:
    answer = client.audio.speech.create(
        model="tiny",
        voice="default",
        input=TEXT,
        response_format="wav",
        speed=0.5,
        extra_body={"stream": False, "seed": 7},
    )
    expected = speak(model, TEXT, speed=0.5, seed=7)
    assert len(expected.sentences) == 3
    assert_near(samples_of(answer.content), as_16_bit(expected.samples))
    assert int(answer.response.headers["content-length"]) == len(answer.content)


def test_sentences_are_streamed_as_they_are_made(model: KokoroModel) -> None:
    app = speech_app({"tiny": model})
    held = Held(app)
    expected = speak(model, TEXT).sentences
    with (
        running(app) as started,
        openai.OpenAI(base_url=f"{started.url}/v1", api_key="none") as client,
    ):
        held.let_go()
        request = client.audio.speech.with_streaming_response.create(
            model="tiny", voice="default", input=TEXT, response_format="wav"
        )
        with request as answer:
            chunks = answer.iter_bytes()
            heard = next(chunks)
            while len(heard) < 44 + 2 * len(expected[0].samples):
                heard += next(chunks)
            assert held.batches[0] == ["It is here."]  # the others are not made
            held.free()
            heard += b"".join(chunks)
    assert heard[:4] == b"RIFF"
    assert_near(heard[44:], as_16_bit(speak(model, TEXT).samples))
    later = [text for batch in held.batches[1:] for text in batch]
    assert later == ["Why would anybody wait?", "Yes!"]


def test_pcm_has_the_24_kilohertz_that_its_clients_expect(
    client: openai.OpenAI, model: KokoroModel
) -> None:
    import soxr

    answer = client.audio.speech.create(
        model="tiny", voice="default", input=TEXT, response_format="pcm"
    )
    samples = speak(model, TEXT).samples
    expected = torch.from_numpy(soxr.resample(samples.numpy(), 22050, 24000))
    assert_near(answer.content, as_16_bit(expected), steps=2)


@pytest.mark.parametrize("form", ["mp3", "flac", "opus"])
def test_other_formats_hold_the_same_sound(
    client: openai.OpenAI, model: KokoroModel, form: Any
) -> None:
    answer = client.audio.speech.create(
        model="tiny",
        voice="default",
        input=TEXT,
        response_format=form,
        extra_body={"stream": False},
    )
    expected = speak(model, TEXT).samples
    read, rate = soundfile.read(io.BytesIO(answer.content))
    assert len(read) / rate == pytest.approx(len(expected) / 22050, abs=1e-3)
    if form == "flac":
        np.testing.assert_allclose(read, expected.clamp(-1, 1).numpy(), atol=2 / 32768)
    assert answer.content[:4] == encoded(form, [expected], 22050)[:4]


def test_mp3_is_what_a_client_gets_that_says_nothing(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="tiny", voice="default", input="Yes!")
    assert answer.response.headers["content-type"] == "audio/mpeg"


def test_events_carry_the_sound_and_end_with_one(server: Running, model: KokoroModel) -> None:
    fields = wanted(input=TEXT, response_format="wav", stream_format="sse")
    answer = server.post(fields)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(each.removeprefix("data: ")) for each in answer.text.split("\n\n")[:-1]]
    assert [each["type"] for each in events] == [*["speech.audio.delta"] * 3, "speech.audio.done"]
    heard = b"".join(base64.b64decode(each["audio"]) for each in events[:-1])
    assert_near(heard[44:], as_16_bit(speak(model, TEXT).samples))


def test_lines_carry_samples_mel_and_times_of_each_sentence(
    server: Running, model: KokoroModel
) -> None:
    answer = server.post(wanted(input=TEXT), path="/v1/audio/speech/sentences")
    lines = [json.loads(each) for each in answer.text.splitlines()]
    expected = speak(model, TEXT).sentences
    assert [each["text"] for each in lines] == [each.text for each in expected]
    assert [(each["index"], each["count"]) for each in lines] == [(0, 3), (1, 3), (2, 3)]
    for line, sentence in zip(lines, expected, strict=True):
        assert_near(base64.b64decode(line["samples"]), as_16_bit(sentence.samples))
        words = [[each.symbol, each.start, each.end] for each in sentence.words[0].phonemes]
        assert line["words"][0]["phonemes"] == words
        mel = np.frombuffer(base64.b64decode(line["mel"]["data"]), np.uint8)
        low, high = line["mel"]["low"], line["mel"]["high"]
        shown = mel.reshape(-1, line["mel"]["channels"]) / 255 * (high - low) + low
        assert sentence.mel is not None
        np.testing.assert_allclose(shown, sentence.mel.numpy(), atol=(high - low) / 500)


def test_models_are_listed_with_what_they_take(client: openai.OpenAI) -> None:
    [listed] = client.models.list().data
    assert (listed.id, listed.object, listed.owned_by) == ("tiny", "model", "kokoro-core")
    found = client.models.retrieve("tiny").model_dump()
    assert found["voices"] == ["default"]
    assert (found["sample_rate"], found["takes_speed"], found["takes_pitch"]) == (
        22050,
        True,
        False,
    )
    with pytest.raises(
        openai.NotFoundError, match="`tinny` is not a model of this server, did you"
    ):
        client.models.retrieve("tinny")


def test_a_speaker_is_the_voice_and_pitch_is_an_option(two_voices: KokoroModel) -> None:
    with running(speech_app({"two": two_voices})) as started:
        fields = wanted(model="two", response_format="wav", seed=3)
        asked = [("anna", 1.0), ("ben", 1.0), ("ben", 1.4)]
        sounds = {
            each: samples_of(started.post({**fields, "voice": each[0], "pitch": each[1]}).content)
            for each in asked
        }
        newer = started.post({**fields, "voice": {"id": "ben"}})
        wrong = started.post({**fields, "voice": "bem"})
        listed = httpx2.get(f"{started.url}/v1/models/two").json()
    assert len(set(sounds.values())) == 3
    for (voice, pitch), heard in sounds.items():
        alone = speak(
            two_voices, "It is here.", speaker=voice, options={"pitch.control": pitch}, seed=3
        )
        assert heard == as_16_bit(alone.samples)
    assert samples_of(newer.content) == sounds["ben", 1.0]
    assert wrong.status_code == 400
    assert wrong.json()["error"]["message"] == "`bem` is not a voice of `two`, did you mean `ben`?"
    assert (listed["voices"], listed["takes_pitch"]) == (["anna", "ben"], True)


def test_health_says_how_many_are_served(server: Running) -> None:
    answer = httpx2.get(f"{server.url}/health")
    assert answer.json() == {"status": "ok", "requests": 0, "limit": 16}
