"""The parts of CI as sessions, each in an environment of its own: ``nox --list``."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_venv = "yes"


def install(session: nox.Session, extra: str) -> None:
    """Install the sources with an extra, at the versions that are pinned."""
    session.install("-c", "constraints.txt", "-e", f".[{extra}]")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; what comes after `--` is handed on to pytest."""
    install(session, "test")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


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
