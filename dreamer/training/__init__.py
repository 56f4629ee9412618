"""How reverie comes to be: its trainer, and the fine-tuning on a person's own pictures."""
