"""Why a period's value differs from another's: contributions that add up, and how surely."""
