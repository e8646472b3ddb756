"""What the screens ask the store and the databases; answers come in whichever thread asks."""
