"""The parts of CI as sessions, each in an environment of its own: ``nox --list``."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import tarfile
import tomllib
from hashlib import sha256
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_venv = "yes"

USES = (
    ("plugins", "--strict"),
    ("check", "small"),
    ("synthesize", "heart", "Hello there.", "--out", "hello.wav"),
)
"""Commands that an archive must run wherever it is installed."""


def install(session: nox.Session, extra: str) -> None:
    """Install the sources with an extra, at the versions that are pinned."""
    session.install("-c", "constraints.txt", "-e", f".[{extra}]")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; what comes after `--` is handed on to pytest."""
    install(session, "test")
    session.run(
        "python", "-m", "pytest", "-n", "auto", "--maxprocesses=4", "--durations=30",
        *session.posargs,
    )  # fmt: skip


@nox.session
def lint(session: nox.Session) -> None:
    """Look for faults and for what is formatted otherwise."""
    session.install("-c", "constraints.txt", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    install(session, "test")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, run every code block of the pages and follow every link."""
    install(session, "test")
    session.run("python", "-m", "mkdocs", "build", "--strict")
    session.run("python", "-m", "pytest", "tests/docs", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; what comes after `--` is handed on to `kokoro-core bench`."""
    install(session, "bench")
    session.run("kokoro-core", "bench", *(session.posargs or ["--quick"]))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests with branch coverage, in one process."""
    install(session, "test")
    session.run("coverage", "run", "-m", "pytest", "-n", "0", *session.posargs)
    session.run("coverage", "report")


@nox.session
def fixtures(session: nox.Session) -> None:
    """Compute anew what a reference that CI has not gave, and leave it where the tests read it."""
    session.install("-c", "constraints.txt", "conformer", "diffusers", "safetensors", "torch")
    session.install("-c", "constraints.txt", "--no-deps", "matcha-tts")
    session.run("python", "tests/kokoro_plugins/matcha/make_fixtures.py")


@nox.session
def editor(session: nox.Session) -> None:
    """Read pages and example packages as an editor's type checker does, strictly."""
    needed = ("numpy", "packaging", "pluggy", "pydantic", "ruamel-yaml", "torch", "typer")
    session.install("-c", "constraints.txt", "basedpyright", "markdown-it-py", "pytest", *needed)
    folder = session.create_tmp()
    session.run("python", "-m", "tests.docs.editor", folder)
    session.run("basedpyright", "--project", folder)


@nox.session
def release(session: nox.Session) -> None:
    """Build both archives twice, check them, and run the tests beside each in a fresh environment.

    The wheel is tried with the lowest versions of what it needs, the source distribution with the
    highest; what comes after `--` is handed on to pytest.
    """
    session.install("-c", "constraints.txt", "build", "check-wheel-contents", "twine", "uv")
    sdist, wheel = build(session, Path("dist"))
    for first, again in zip((sdist, wheel), build(session, fresh(session, "again")), strict=True):
        if sha256(first.read_bytes()).digest() != sha256(again.read_bytes()).digest():
            session.error(f"`{first.name}` has other bytes when it is built again")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))
    session.run("check-wheel-contents", str(wheel))
    try_out(session, wheel, sdist, "lowest-direct")
    try_out(session, sdist, sdist, "highest")


def build(session: nox.Session, folder: Path) -> tuple[Path, Path]:
    """Build the source distribution, and of that the wheel."""
    moment = session.run("git", "log", "-1", "--format=%ct", external=True, silent=True)
    env = {"SOURCE_DATE_EPOCH": str(moment).strip(), "PIP_CONSTRAINT": "constraints.txt"}
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    session.run("python", "-m", "build", "--sdist", "--outdir", str(folder), env=env)
    [sdist] = folder.glob("*.tar.gz")
    without_its_moment(sdist, int(env["SOURCE_DATE_EPOCH"]))
    source = unpacked(sdist, fresh(session, "source"))
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), str(source), env=env)
    [wheel] = folder.glob("*.whl")
    return sdist, wheel


def try_out(session: nox.Session, built: Path, sdist: Path, resolution: str) -> None:
    """Install an archive in an environment of its own, use it there, and run the tests there.

    The tests are those of the unpacked sources, which take the archive's place for them: a package
    that is installed and lies in the working folder as well is refused.
    """
    home = fresh(session, resolution)
    source = unpacked(sdist, home)
    session.run("python", "-m", "venv", str(home / "venv"))
    [python] = [each for each in (home / "venv").glob("*/python*") if each.stem == "python"]
    install = (str(python), "-m", "pip", "install", "--quiet")
    session.run(*install, "-c", "constraints.txt", "torch", external=True)
    fixed, wanted = home / "fixed.txt", home / "wanted.txt"
    asked = "from importlib.metadata import version; print('torch==' + version('torch'))"
    torch = session.run(str(python), "-c", asked, external=True, silent=True)
    fixed.write_text("\n".join([str(torch).strip(), *pinned_tools()]))
    session.run(
        *("uv", "pip", "compile", "--quiet", "pyproject.toml", "--extra", "test"),
        *("--python", str(python), "--resolution", resolution),
        *("--constraint", str(fixed), "--output-file", str(wanted)),
        env={"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")},
    )
    session.run(*install, "-r", str(wanted), external=True)
    session.run(*install, "--no-deps", str(built.resolve()), external=True)
    with session.chdir(fresh(session, "elsewhere")):
        for words in USES:
            session.run(str(python), "-m", "kokoro_core", *words, external=True)
    session.run(*install, "--no-deps", "--editable", str(source), external=True)
    # Old packages beside new ones call what the new ones have deprecated.
    warnings = ("-W", "ignore::DeprecationWarning") if resolution == "lowest-direct" else ()
    with session.chdir(source):
        command = (str(python), "-m", "pytest", "-n", "2", *warnings)
        session.run(*command, *session.posargs, external=True)


def pinned_tools() -> list[str]:
    """Return the pins of what only the tests want, whose versions are no promise to anybody."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [re.split(r"[^\w.-]", each)[0] for each in project["optional-dependencies"]["test"]]
    pins = Path("constraints.txt").read_text(encoding="utf-8").splitlines()
    return [each for each in pins if each.partition("==")[0] in wanted]


def without_its_moment(sdist: Path, moment: int) -> None:
    """Write an archive anew: in order, and without the times and the owner of this build."""
    with tarfile.open(sdist) as old:
        content = {each.name: (each, old.extractfile(each)) for each in old.getmembers()}
        data = {name: file.read() if file else b"" for name, (_, file) in content.items()}
    with (
        sdist.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w") as new,
    ):
        for name, (each, _) in sorted(content.items()):
            each.mtime, each.uid, each.gid, each.uname, each.gname = moment, 0, 0, "", ""
            each.mode = 0o755 if each.isdir() or each.mode & 0o100 else 0o644
            each.pax_headers = {}
            new.addfile(each, io.BytesIO(data[name]))


def unpacked(sdist: Path, folder: Path) -> Path:
    """Return the folder of the sources in an archive."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def fresh(session: nox.Session, name: str) -> Path:
    """Return an empty folder that the session keeps."""
    folder = Path(session.create_tmp()).resolve() / name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return folder
