"""What is asked: models, devices, network, services; read from files, checked, compiled to arrays."""
