"""The tests that `new-plugin` copies."""
