"""Lines get into files here, whole, whatever happens to the file or the process."""
