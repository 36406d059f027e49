"""Where runs are kept: implementations of `holdpoint.engine.ports.Store`, chosen by the database's URL."""
