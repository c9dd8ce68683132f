"""Methods that several questions stand on: stages, qualification, paths, season, bridge."""
