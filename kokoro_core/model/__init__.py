"""The acoustic model: assembled from a spec, fed with checked inputs, weighed by its losses."""
