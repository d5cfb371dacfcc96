"""How large and how slow layers are: from model files, from measurements."""
