"""What came back of what was known and forgotten: the flow, net recovery above the control, and verdicts over seeds."""
