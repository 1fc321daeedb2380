"""What a platform engineer states: one YAML file an environment, checked by `config.schema`."""
