"""A study's folder, local or remote, as tidy pandas frames: axes in their order, and the missing cells named."""
