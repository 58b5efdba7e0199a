"""Components and whole models under test, made small."""
