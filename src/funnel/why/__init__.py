"""Why a period differs from another: the bridge, its guards, claims and actions."""
