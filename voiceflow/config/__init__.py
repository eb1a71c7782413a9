"""Configuration: the settings of a server (settings.py), which number leads where (routes.py), and the YAML that both
are read from (yamlfile.py)."""
