"""Model families and tokenizer forms beside plain transformers; writes docs/MODELS.md."""
