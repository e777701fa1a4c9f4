"""All that knows the API of Ray: session, node checks, searcher, scheduler, lost trials, the state of the cluster."""
