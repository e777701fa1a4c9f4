"""What a study is given: its models, data and services, and its own folder under somebody's hands."""
