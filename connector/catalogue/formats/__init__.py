"""The formats of catalogue files: a module each, from what stands in a file to event types."""
