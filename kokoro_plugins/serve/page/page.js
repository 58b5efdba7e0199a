// The page of the server: asks for sentences as lines of JSON, plays each as it comes, and shows
// its mel and when each phoneme is heard. It talks to the server that it came from and no other.

const $ = (id) => document.getElementById(id);
const sides = [];
let running = null;

// ---- what is asked for

function headers() {
  const token = $("token").value.trim();
  return token ? { authorization: `Bearer ${token}` } : {};
}

async function failure(answer) {
  const body = await answer.json().catch(() => null);
  if (answer.status === 401) $("token-box").open = true;
  return new Error(body?.error?.message ?? `The server answered ${answer.status}.`);
}

async function loadModels() {
  const answer = await fetch("v1/models", { headers: headers() });
  if (!answer.ok) throw await failure(answer);
  return (await answer.json()).data;
}

class Side {
  constructor(label, models, chosen) {
    this.models = models;
    this.label = label;
    this.node = $("side").content.firstElementChild.cloneNode(true);
    this.node.querySelector("legend").textContent = label;
    fill(this.field("model"), models.map((each) => each.id));
    this.field("model").selectedIndex = chosen;
    this.field("model").addEventListener("change", () => this.offer());
    for (const name of ["speed", "pitch"]) {
      const slider = this.field(name);
      slider.addEventListener("input", () => show(slider));
    }
    this.offer();
    $("sides").append(this.node);
  }

  field(name) {
    return this.node.querySelector(`[data-name="${name}"]`);
  }

  get model() {
    return this.models[this.field("model").selectedIndex];
  }

  // Offer what the chosen model takes.
  offer() {
    const model = this.model;
    fill(this.field("voice"), model.voices);
    fill(this.field("language"), model.languages);
    const offered = {
      language: model.languages.length > 0,
      speed: model.takes_speed,
      pitch: model.takes_pitch,
    };
    for (const [name, is] of Object.entries(offered)) {
      this.node.querySelector(`[data-for="${name}"]`).hidden = !is;
    }
    this.field("speed").value = model.speed;
    this.field("pitch").value = model.options["pitch.control"] ?? 1;
    show(this.field("speed"));
    show(this.field("pitch"));
  }

  request(text) {
    const model = this.model;
    const asked = { model: model.id, input: text, voice: this.field("voice").value };
    if (model.takes_speed) asked.speed = Number(this.field("speed").value);
    if (model.takes_pitch) asked.pitch = Number(this.field("pitch").value);
    if (model.languages.length) asked.language = this.field("language").value;
    if (this.field("seed").value !== "") asked.seed = Number(this.field("seed").value);
    return asked;
  }
}

function fill(select, names) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
}

function show(slider) {
  const said = `${Number(slider.value).toFixed(2)} ×`;
  slider.parentElement.querySelector(".value").textContent = said;
  slider.setAttribute("aria-valuetext", said);
}

// ---- what comes

async function* linesOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (held + value).split("\n");
    held = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// Plays pieces one after the other without a gap, as they come.
class Player {
  constructor() {
    this.context = new AudioContext();
    this.end = 0;
  }

  add(samples, rate, pause) {
    const buffer = this.context.createBuffer(1, samples.length, rate);
    buffer.getChannelData(0).set(Float32Array.from(samples, (each) => each / 32768));
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    const start = Math.max(this.end, this.context.currentTime + 0.03);
    source.start(start);
    this.end = start + buffer.duration + pause;
  }

  stop() {
    if (this.context.state !== "closed") this.context.close();
  }
}

// ---- what is shown

const PIXELS_A_SECOND = 180;
const MEL_HEIGHT = 160;
const LABELS = 22;

class Result {
  constructor(side) {
    this.node = $("result").content.firstElementChild.cloneNode(true);
    this.title = `${side.label}: ${side.model.id}, ${side.field("voice").value}`;
    this.node.querySelector("h2").textContent = this.title;
    this.canvas = this.node.querySelector("canvas");
    this.canvas.hidden = true;
    this.canvas.parentElement.setAttribute("aria-label", `Mel of ${this.title}`);
    this.sentences = [];
    this.began = performance.now();
    this.say("Asked …");
    $("results").append(this.node);
  }

  say(text) {
    this.node.querySelector(".status").textContent = text;
  }

  add(line) {
    if (!this.sentences.length) this.first = performance.now() - this.began;
    const bytes = bytesOf(line.samples);
    line.pause = line.pause_samples / line.sample_rate;
    line.pcm = new Int16Array(bytes.buffer, 0, bytes.length / 2);
    line.start = this.sentences.reduce((sum, each) => sum + each.seconds + each.pause, 0);
    this.sentences.push(line);
    this.say(`Sentence ${line.index + 1} of ${line.count}; first sound after ${this.first.toFixed(0)} ms`);
    this.note(line.problems);
    this.draw();
    this.tabulate(line);
  }

  note(problems) {
    const list = this.node.querySelector(".notes");
    for (const each of problems) {
      const item = document.createElement("li");
      item.textContent = each;
      list.append(item);
    }
  }

  get seconds() {
    const last = this.sentences.at(-1);
    return last.start + last.seconds;
  }

  finish() {
    const made = (performance.now() - this.began) / 1000;
    this.say(
      `${this.seconds.toFixed(2)} s of speech in ${made.toFixed(2)} s; ` +
      `first sound after ${this.first.toFixed(0)} ms`,
    );
    const url = URL.createObjectURL(wavOf(this.sentences));
    const audio = this.node.querySelector("audio");
    audio.src = url;
    audio.hidden = false;
    audio.setAttribute("aria-label", `Speech of ${this.title}`);
    const link = this.node.querySelector("a");
    link.href = url;
    link.hidden = false;
  }

  // Draw all sentences: the mel from low to high channels, and below it the phonemes.
  draw() {
    const scale = window.devicePixelRatio || 1;
    const width = Math.min(Math.ceil(this.seconds * PIXELS_A_SECOND), 16000);
    const style = getComputedStyle(document.body);
    this.canvas.hidden = false;
    this.canvas.width = width * scale;
    this.canvas.height = (MEL_HEIGHT + LABELS) * scale;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${MEL_HEIGHT + LABELS}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "center";
    for (const line of this.sentences) {
      const left = line.start * PIXELS_A_SECOND;
      if (line.mel) pen.drawImage(pictureOf(line.mel), left, 0, line.seconds * PIXELS_A_SECOND, MEL_HEIGHT);
      pen.fillStyle = style.color;
      for (const [symbol, start, end] of line.words.flatMap((word) => word.phonemes)) {
        const x = left + start * PIXELS_A_SECOND;
        const wide = (end - start) * PIXELS_A_SECOND;
        pen.fillRect(x, MEL_HEIGHT, 1, LABELS);
        if (wide >= 8) pen.fillText(symbol, x + wide / 2, MEL_HEIGHT + 15);
      }
    }
    const symbols = this.sentences.flatMap((each) => each.words).flatMap((word) => word.phonemes);
    this.canvas.setAttribute(
      "aria-label",
      `Mel spectrogram, ${this.seconds.toFixed(2)} seconds, with ${symbols.length} phonemes below; ` +
      "the table lists them",
    );
  }

  tabulate(line) {
    const body = this.node.querySelector("tbody");
    for (const word of line.words) {
      for (const [index, [symbol, start, end]] of word.phonemes.entries()) {
        const row = body.insertRow();
        const cells = [
          index ? "" : word.text || "(pause)",
          symbol,
          (line.start + start).toFixed(3),
          ((end - start) * 1000).toFixed(0),
        ];
        for (const text of cells) row.insertCell().textContent = text;
      }
    }
  }
}

// Colours from dark blue over green to yellow, of about even steps in lightness.
const COLOURS = [[13, 8, 66], [40, 60, 130], [33, 112, 142], [31, 158, 137], [110, 205, 88], [253, 231, 37]];

function colour(value) {
  const place = (value / 255) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[low].map((each, i) => each + (COLOURS[low + 1][i] - each) * (place - low));
}

function pictureOf(mel) {
  if (mel.picture) return mel.picture;
  const steps = bytesOf(mel.data);
  const frames = steps.length / mel.channels;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(frames, 1);
  canvas.height = mel.channels;
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(canvas.width, canvas.height);
  for (let frame = 0; frame < frames; frame += 1) {
    for (let channel = 0; channel < mel.channels; channel += 1) {
      const at = 4 * ((mel.channels - 1 - channel) * canvas.width + frame);
      image.data.set([...colour(steps[frame * mel.channels + channel]), 255], at);
    }
  }
  pen.putImageData(image, 0, 0);
  mel.picture = canvas;
  return canvas;
}

function wavOf(sentences) {
  const rate = sentences[0].sample_rate;
  const parts = sentences.flatMap((each, i) =>
    i + 1 < sentences.length ? [each.pcm, new Int16Array(each.pause_samples)] : [each.pcm]);
  const length = parts.reduce((sum, each) => sum + each.byteLength, 0);
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => [...letters].forEach((each, i) => head.setUint8(at + i, each.charCodeAt(0)));
  text(0, "RIFF"); head.setUint32(4, 36 + length, true); text(8, "WAVEfmt ");
  head.setUint32(16, 16, true); head.setUint16(20, 1, true); head.setUint16(22, 1, true);
  head.setUint32(24, rate, true); head.setUint32(28, 2 * rate, true);
  head.setUint16(32, 2, true); head.setUint16(34, 16, true);
  text(36, "data"); head.setUint32(40, length, true);
  return new Blob([head.buffer, ...parts], { type: "audio/wav" });
}

// ---- speaking

async function speakOne(side, text, player, signal) {
  const result = new Result(side);
  try {
    const answer = await fetch("v1/audio/speech/sentences", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers() },
      body: JSON.stringify(side.request(text)),
      signal,
    });
    if (!answer.ok) throw await failure(answer);
    for await (const line of linesOf(answer)) {
      if (line.error) throw new Error(line.error.message);
      result.add(line);
      player?.add(line.pcm, line.sample_rate, line.pause);
    }
    result.finish();
  } catch (error) {
    result.say(error.name === "AbortError" ? "Stopped." : "Failed.");
    if (error.name !== "AbortError") throw error;
  }
}

async function speak() {
  stop();
  $("problem").textContent = "";
  $("results").replaceChildren();
  const now = { abort: new AbortController(), player: new Player() };
  running = now;
  $("stop").disabled = false;
  document.body.dataset.state = "speaking";
  const text = $("text").value;
  // Only the first of two is played as it is made: two voices at once are noise.
  const made = sides.map((side, i) => speakOne(side, text, i ? null : now.player, now.abort.signal));
  const failed = (await Promise.allSettled(made)).find((each) => each.status === "rejected");
  if (running !== now) return;
  if (failed) $("problem").textContent = failed.reason.message;
  document.body.dataset.state = failed ? "failed" : "done";
}

function stop() {
  running?.abort.abort();
  running?.player.stop();
  running = null;
  $("stop").disabled = true;
}

async function begin() {
  const models = await loadModels();
  const compare = () => {
    sides.splice(1).forEach((side) => side.node.remove());
    if ($("compare").checked) sides.push(new Side("Second", models, Math.min(1, models.length - 1)));
  };
  $("sides").replaceChildren();
  sides.splice(0, sides.length, new Side("First", models, 0));
  compare();
  $("compare").onchange = compare;
  $("problem").textContent = "";
  document.body.dataset.state = "ready";
}

function tell(error) {
  $("problem").textContent = error.message;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const ready = sides.length ? Promise.resolve() : begin();
  ready.then(speak).catch(tell);
});
$("stop").addEventListener("click", stop);
$("token").addEventListener("change", () => begin().catch(tell));
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
  if (event.key === "Escape") stop();
});
begin().catch(tell);
