"""Spaces: functions that return a StudySpec, and how a user names and changes one."""
