"""The formats of measurements, one a module, and the table that names them."""
