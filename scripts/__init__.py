"""The ``tfkey`` command: one module per subcommand. Slow imports happen only when they are needed."""
