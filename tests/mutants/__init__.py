"""Deliberately broken components: each must be killed by the check that is named for it."""
