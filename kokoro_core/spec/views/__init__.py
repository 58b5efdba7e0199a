"""What is made of a spec: schema, reference, graph, differences, origins."""
