"""The Ray of one machine: a head and nodes that end with the process that started them, and a job on them."""
