"""The program without pandas, wherever it is installed: see DECISIONS.md."""

from importlib.abc import MetaPathFinder


class WithoutPandas(MetaPathFinder):
    """Keeps pandas out of the program: pyarrow imports it where it is installed (0.3 s); no command has a use for it.

    It stands in nobody's way when a notebook or a test calls ``main``.
    """

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """None for everything but pandas, which is not found."""
        if fullname == "pandas":
            raise ModuleNotFoundError("flightlog leaves pandas out", name="pandas")
