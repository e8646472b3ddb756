"""Questions to humans and their answers, from checkpoint databases, from spans, or from both together."""
