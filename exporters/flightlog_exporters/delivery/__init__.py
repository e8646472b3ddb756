"""One export request to one server, over HTTP or gRPC, and what its answer means."""
