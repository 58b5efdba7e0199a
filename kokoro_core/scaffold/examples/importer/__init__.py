"""The example in the slot `importer`."""
