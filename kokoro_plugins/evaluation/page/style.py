"""How the page looks, and the little that it does."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
th, td { padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top }
td { font-variant-numeric: tabular-nums }
thead th { border-bottom: 1px solid }
article { border-top: 1px solid #8886; margin-top: 2rem; padding-top: .5rem }
figure { margin: 1rem 0 } figcaption { margin-bottom: .3rem }
.mel { overflow-x: auto } svg { display: block; background: #fff; cursor: pointer }
audio { height: 2rem; width: 22rem; max-width: 100%; vertical-align: middle }
ins { text-decoration: none; background: #e53a; padding: 0 .2em }
del { opacity: .6 } .figures { opacity: .8; font-size: .9em } .better { color: #286 }
.worse { color: #c33 }
"""

SCRIPT = """
const list = document.getElementById("sentences");
document.getElementById("order").addEventListener("change", event => {
  const key = event.target.value;
  const value = each => Number(each.dataset[key] ?? 0);
  [...list.children].sort((a, b) => value(a) - value(b)).forEach(each => list.append(each));
});
document.querySelectorAll("figure").forEach(figure => {
  const sound = figure.querySelector("audio"), picture = figure.querySelector("svg");
  const line = picture.querySelector(".now"), width = picture.viewBox.baseVal.width;
  sound.addEventListener("timeupdate", () => {
    const x = width * sound.currentTime / (sound.duration || 1);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  });
  sound.addEventListener("play", () => document.querySelectorAll("audio").forEach(each => {
    if (each !== sound) each.pause();
  }));
  picture.addEventListener("click", event => {
    const box = picture.getBoundingClientRect();
    sound.currentTime = sound.duration * (event.clientX - box.left) / box.width;
    sound.play();
  });
});
"""
