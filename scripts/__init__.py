"""The ``tfkey`` command: one module a subcommand. What takes long to import is imported when it is needed."""
