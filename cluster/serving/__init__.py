"""A fine-tuning and completion service over one's own models, in the shape of OpenAI's API: ``relearn serve``.

It gives an attacker what the paper's second threat model gives: files, jobs, events, checkpoints, models, completions
with log-probabilities. No weights leave it, and no path of the machine stands in an answer.
"""
