"""What thinks: pure functions over spans and steps."""
