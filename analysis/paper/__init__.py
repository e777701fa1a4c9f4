"""The paper's five experiments beside ours: published numbers, claims as rules, and what our rows say of them."""
