"""The terminal as Textual drives it, except for what it does when the process is told to go on."""

import os
from codecs import getincrementaldecoder
from functools import partial
from typing import Any

from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

# What is no UTF-8 is no key: a terminal of another encoding, an old one's report of the mouse. Textual's own decoder
# raises, and the viewer would end.
linux_driver.getincrementaldecoder = lambda name: partial(getincrementaldecoder(name), "replace")  # type: ignore[attr-defined]


class Terminal(LinuxDriver):
    """Textual's driver with one thread that reads keys, whatever comes.

    Textual starts another at every SIGCONT. Two of them share the keys between them, and one is left over at the end,
    which then reads for ever from a terminal that is gone: the kernel sends a SIGCONT with the SIGHUP.
    """

    def _sigcont_application(self, *arguments: Any) -> None:
        if not self._auto_restart or not os.isatty(self.fileno):
            return
        if not self._must_signal_resume:
            # Stopped by a signal that cannot be caught; the shell may have changed the terminal meanwhile.
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application(*arguments)
