"""The commands ``checkpoint inspect``, ``verify``, ``diff`` and ``convert``."""
