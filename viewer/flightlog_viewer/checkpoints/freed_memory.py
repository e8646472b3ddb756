"""Keeps the C library from giving memory back that is needed again at once."""

_KEPT_BYTES = 4 * 1024 * 1024


def keep_freed_memory() -> None:
    """Let up to 8 MiB that are freed stay with the process.

    Checkpoints are read and let go by the megabyte. By default glibc gives more than 128 KiB of freed memory back to
    the kernel, and fetching it again, page by page, takes a third of the time of reading a history. Freeing one large
    block raises that limit to twice the block (mallopt(3), "dynamic adjustment of the mmap threshold"). Elsewhere this
    does nothing.
    """
    bytes(_KEPT_BYTES)
