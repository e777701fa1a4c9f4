"""The experiments as spaces: functions that return a StudySpec, at the paper's size and as miniatures."""
