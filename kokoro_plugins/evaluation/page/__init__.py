"""The page of an evaluation: one file that needs nothing but the sounds beside it."""
