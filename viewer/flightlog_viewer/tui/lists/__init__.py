"""How traces, threads, runs, groups and approvals look as rows of a list."""
