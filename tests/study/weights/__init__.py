"""Models from folders and adapters: how they are read, held, cast and measured."""
