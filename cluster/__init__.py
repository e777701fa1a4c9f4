"""Where and when stages run: the store, the driver on Ray Tune, and the study's folder."""
