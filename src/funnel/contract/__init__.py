"""The contract: tables, the plan, periods and errors. Everything else stands on this."""
