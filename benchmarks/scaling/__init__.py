"""How time and memory grow with the cells: of a study, of the driver without any computing, and of a report."""
