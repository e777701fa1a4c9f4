"""What is measured on rows: surfaces, trajectories, contours, comparisons, drivers and predictors of relearning."""
