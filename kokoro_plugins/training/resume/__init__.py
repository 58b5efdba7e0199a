"""A training that is saved, stopped and taken up again."""
