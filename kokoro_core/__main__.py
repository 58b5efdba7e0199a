"""``python -m kokoro_core`` is the command line."""

import sys

from kokoro_core._shadowing import explanation


def main() -> None:
    """Run the command line; where a user's file hides a module that it needs, say which.

    Raises:
        SystemExit: The command has ended.
    """
    try:
        from kokoro_core.cli.collector import uncollected

        with uncollected():
            from kokoro_core.cli.app import main as run
    except Exception as error:
        said = explanation(error)
        if said is None:
            raise
        sys.exit(said)
    run()


if __name__ == "__main__":
    main()
