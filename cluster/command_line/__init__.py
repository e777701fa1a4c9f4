"""Between a person's terminal and the verbs: options and help, what is printed and how, and UTF-8 whatever the locale.

Nothing here knows a study.
"""
