"""What LangChain's and LangGraph's events mean, and the runs that they are about."""
