"""Each measure against an oracle, a known truth or the edges."""
