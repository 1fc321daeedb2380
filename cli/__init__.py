"""What `./tideline` does."""
