"""Components that come with Kokoro, each folder a plugin that enters by the public door."""
