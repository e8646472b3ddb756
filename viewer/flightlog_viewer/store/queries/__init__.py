"""What is asked of the store by name, and what the screens ask beyond that."""
