"""The flight recorder for LangChain and LangGraph agents."""
