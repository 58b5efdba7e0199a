"""``python -m kokoro_core`` is the command line."""

from kokoro_core.cli.app import main

if __name__ == "__main__":
    main()
