"""Configuration: the settings of a server (settings.py), the routes of called numbers (routes.py), and the YAML file
that contains both (yamlfile.py)."""
