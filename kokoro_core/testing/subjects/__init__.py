"""What is under test: components and whole models, made small."""
