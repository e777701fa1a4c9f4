"""What a GPU says of this project in ten minutes: ``python -m benchmarks.gpu FOLDER``, and docs/GPU.md from it."""
