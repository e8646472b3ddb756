"""Which files are meant, and the descriptors, copies and folders that they are read by."""
