"""Speech over HTTP: OpenAI's endpoints and a page, from checkpoints, in one process."""
